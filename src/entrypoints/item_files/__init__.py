"""Items as files, NDJSON or CSV, as the HTTP edge and the command line export and import them.

Neither module of a format knows where the bytes come from or go to. What they give is a `Row` for each line;
`reading` makes items of rows, by the rules of the domain.
"""
