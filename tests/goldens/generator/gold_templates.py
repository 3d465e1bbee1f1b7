"""templates.json: chat templates rendered by transformers' own renderer."""

import datetime as dt
from pathlib import Path

import jinja2
import transformers.utils.chat_template_utils as ctu

import jsonio
from template_expressions import EXPRESSION_MESSAGES, EXPRESSION_OPTIONS, EXPRESSIONS
from template_sources import CASES, TEMPLATES

NOW = "2025-07-04T09:08:07"


class FrozenDatetime(dt.datetime):
    """`strftime_now` calls datetime.now(); goldens need one instant."""

    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(NOW)


def render(template: str, messages: list, options: dict) -> dict:
    try:
        rendered, _ = ctu.render_jinja_template([messages], chat_template=template, **options)
        return {"text": rendered[0]}
    # TemplateError covers raise_exception, undefined values, sandbox and syntax errors; TypeError and ValueError
    # come from Python's own operators and methods.
    except (jinja2.exceptions.TemplateError, TypeError, ValueError) as e:
        out = {"error": type(e).__name__}
        if type(e) is jinja2.exceptions.TemplateError:
            # raise_exception's own words; every other message is jinja2's or Python's and not worth copying.
            out["message"] = str(e)
        return out


def make(out: Path):
    ctu.datetime = FrozenDatetime
    cases = []
    for name, template, messages, options, must in CASES:
        got = render(TEMPLATES[template], messages, options)
        assert ("error" in got) == (must == "raise"), (name, got)
        cases.append({"name": name, "template": template, "messages": messages, "options": options, **got})
    assert {c["template"] for c in cases} == set(TEMPLATES)
    expressions = []
    for source in EXPRESSIONS:
        got = render(source, EXPRESSION_MESSAGES, EXPRESSION_OPTIONS)
        assert "text" in got, (source, got)
        expressions.append({"source": source, "text": got["text"]})
    jsonio.write(out / "templates.json", {
        "about": "render_jinja_template of transformers, with `now` frozen. options: keyword arguments; a template also "
                 "sees tools and documents as none and add_generation_prompt as false where they are not given.",
        "now": NOW,
        "templates": TEMPLATES,
        "cases": cases,
        "expressions": {"messages": EXPRESSION_MESSAGES, "options": EXPRESSION_OPTIONS, "cases": expressions},
    })
