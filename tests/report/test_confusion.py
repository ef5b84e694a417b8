import re
from xml.etree import ElementTree

from pumice.report.confusion import ClassAccuracy, accuracy_by_class, confusion_chart

MATRIX = ((3, 1, 0), (0, 0, 0), (2, 1, 5))
CLASSES = ("cat", "dog & <wolf>", "a very long class name")


def test_accuracy_by_class_names_the_most_frequent_mistake() -> None:
    cat, dog, long = accuracy_by_class(MATRIX, CLASSES)
    assert cat == ClassAccuracy("cat", 4, 3, "dog & <wolf>", 1) and cat.accuracy == 0.75
    assert dog.accuracy is None and dog.mistaken_for == ""
    assert (long.mistaken_for, long.mistakes, long.accuracy) == ("cat", 2, 0.625)


def test_a_chart_has_a_cell_for_each_pair_and_numbers_where_there_are_samples() -> None:
    svg = confusion_chart(MATRIX, CLASSES)
    ElementTree.fromstring(svg)
    assert svg.count('class="cell"') == 9
    assert re.findall(r'class="count[^>]*>(\d+)<', svg) == ["3", "1", "2", "1", "5"]
    assert "3 of 4 of cat predicted as cat" in svg and "a very long\u2026" in svg


def test_a_large_matrix_has_no_numbers() -> None:
    matrix = [[1] * 30 for _ in range(30)]
    svg = confusion_chart(matrix, [str(k) for k in range(30)])
    assert svg.count('class="cell"') == 900 and 'class="count' not in svg
