"""The runner of pages: a figure that has moved, and a print that the page does not say, are caught."""

import pytest

from helpers import pages


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Return a function that runs a page with these blocks."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)

    def run(*blocks):
        text = "\n".join(f"Text.\n\n```{language}\n{code}\n```\n" for language, code in blocks)
        (tmp_path / "page.md").write_text(text, encoding="utf-8")
        return pages.run("page.md")

    return run


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("0.97", "0.9667"),
        ("0.9667", "0.96666"),
        ("1.0", "1.0"),
        ("23.6", "23.598871"),
        ("6.6", "6.635562467599794"),
        ("1,797 rows", "1797 rows"),
        ("1e-06", "1.2e-06"),
        ("{'loss': 0.0016, 'accuracy': 1.0}", "{'loss': 0.0015628, 'accuracy': 1.0}"),
        ("[0.934 0.898]", "[0.93413174 0.89820359]"),
        ("Event(..., text='ictal 0.8...')", "Event(time=29.2, text='ictal 0.802')"),
        ("-0.5 and 4", "-0.52 and 4"),
    ],
)
def test_agrees(said, printed):
    assert pages.agrees(said, printed)


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("0.98", "0.9667"),
        ("0.96", "0.9667"),
        ("0.9667", "0.9668"),
        ("34", "7"),
        ("1 alarm", "1 alarms"),
        ("[0.934 0.898]", "[0.934 0.898 0.946]"),
        ("Event(..., text='ictal 0.8...')", "Event(time=29.2, text='ictal 0.902')"),
        ("0.5", "-0.5"),
        ("1e-06", "1e-05"),
        ("about 5", "5"),
    ],
)
def test_does_not_agree(said, printed):
    assert not pages.agrees(said, printed)


def test_a_page_that_says_what_is_true(page):
    names = page(
        ("python", "a = 2 / 3\nprint(a)  # 0.667\nfor i in range(2):\n    print(i)  # 0 1"),
        ("python", "print('x', 3.14159)\nprint('y')"),
        ("text", "x 3.14\ny"),
        (
            "python",
            "import numpy as np\nb = np.zeros((4, 2))  # (4, 2), of zeros\nc = b[0]  # (k,)\n'z'  # 'z'",
        ),
    )
    assert names["a"] == 2 / 3


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([("python", "print(0.9667)  # 0.98")], r"page.md:4 says '0.98', and the code prints:\n0.9667"),
        ([("python", "a = 1\n\nprint(7)")], r"page.md:4 prints, and the page does not say it:\n7"),
        ([("python", "print(7)  # alarms")], "says 'alarms', and the code prints"),
        ([("python", "print(7)"), ("text", "8")], "page.md:10 says otherwise:\n7"),
        ([("python", "[3, 4]  # [3, 5]")], r"says \[3, 5\], and the value is \[3, 4\]"),
        ([("python", "import numpy as np\na = np.zeros(3)  # (4,)")], r"page.md:5 says \(4,\), .* is \(3,\)"),
        ([("text", "nothing")], "has no Python"),
    ],
)
def test_a_page_that_does_not(page, blocks, message):
    with pytest.raises(AssertionError, match=message):
        page(*blocks)
