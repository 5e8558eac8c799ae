"""What `/metrics` says, as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families


class Figures:
    """By the name of a sample and its labels: `figures("steward_problems_total", code="conflict")`; 0 for a counter
    that nothing was counted in yet."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def labels_of(self, name: str) -> set[frozenset[tuple[str, str]]]:
        return {labels for known, labels in self.samples if known == name}
