"""The repositories on a database, one module for each aggregate, and what they share: pages, bulk insert, taken names.

A repository hides the queries of its aggregate. It imports the tables and the transaction; `unit_of_work.py` alone
imports it.
"""
