"""What the check of a data set found, as the HTTP interface shows it."""

from api.views.live import View


class FindingView(View):
    """What the check of a data set found. rule: its machine name; examples: files, row numbers or classes, up to 10."""

    rule: str
    detail: str
    examples: list[str]


class TargetView(View):
    """The distribution of a target of a regression, in its own units. std: the standard deviation."""

    name: str
    least: float
    lower_quartile: float
    median: float
    upper_quartile: float
    largest: float
    mean: float
    std: float


class AnswersView(View):
    """What answers that are no single class look like; null what does not apply.

    targets: of a regression. without: samples without any of several labels; labels_each: labels of a sample on
    average. shares: of each class among the judged pixels of masks; not_judged: share of all pixels; one_class:
    pictures whose mask holds one class only.
    """

    targets: list[TargetView] | None = None
    without: int | None = None
    labels_each: float | None = None
    shares: list[float] | None = None
    not_judged: float | None = None
    one_class: int | None = None


class CheckView(View):
    """What was found about samples, answers and splits when the data set was added; empty where all is well."""

    findings: list[FindingView]
    answers: AnswersView | None = None
