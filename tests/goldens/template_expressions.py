"""One-line templates: the rules of the language, one by one."""

import re

# One snippet for each rule of the language; each is rendered alone, with these messages and options.
EXPRESSION_MESSAGES = [{"role": "user", "content": "héllo"}]
EXPRESSION_OPTIONS = {"null_value": None}
_BLOCK = """{{ 7 // 2 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 1 + 2 * 3 - 4 }} {{ 10 % 4 }}
{{ true }} {{ false }} {{ none }} {{ 1.0 }} {{ 1e3 }} {{ 0.1 + 0.2 }} {{ 1.5 | int }} {{ '12' | int + 1 }} {{ 'x' | int(5) }} {{ 3 | float }}
{{ [1, 'a', 2.0, none, true] }} {{ {'k': 'v', 'n': [1, 2]} }} {{ (1, 2) }} {{ [] }} {{ "it's" | list | length }} {{ ["it's", 'a"b'] }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ not 1 == 2 }} {{ 'a' in 'cat' }} {{ 'x' not in ['y'] }} {{ 'k' in {'k': 1} }} {{ 1 == 1.0 }} {{ '1' == 1 }}
{{ 'a' or 'b' }} {{ '' or 'b' }} {{ 0 and 'b' }} {{ none or [] or 'z' }} {{ 'y' if [] else 'n' }} {{ 'only' if false }}|
{{ 'abcdef'[1:3] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[::2] }} {{ [1,2,3,4][1:] }} {{ [1,2,3][-1] }} {{ 'abc'[5:] }}|
{{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ '  l'.lstrip() }}|{{ 'r  '.rstrip() }}|{{ 'a,b,,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a-b-c'.split('-', 1) }}|{{ 'a-b-c'.rsplit('-', 1)[0] }}
{{ 'hello world'.title() }} {{ 'hELLO'.capitalize() }} {{ 'Ab'.upper() }} {{ 'Ab'.lower() }} {{ 'aXbX'.replace('X', '-') }} {{ 'aXbX'.replace('X', '-', 1) }} {{ 'abc'.find('c') }} {{ 'abab'.count('a') }} {{ 'x'.join(['1','2']) }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ '12'.isdigit() }} {{ 'a\\nb'.splitlines() }} {{ '%s-%d' % ('a', 3) }} {{ '{} {}'.format('a', 1) }} {{ "%05.2f" | format(3.14159) }}
{{ [3,1,2] | sort }} {{ [3,1,2] | sort(reverse=true) | join(', ') }} {{ ['b','A','c'] | sort }} {{ [1,2,3] | sum }} {{ [1,5,2] | max }} {{ [1,2,3] | first }} {{ [1,2,3] | reverse | list }} {{ 'a' ~ 1 ~ none ~ true }} {{ -5 | abs }} {{ 3.7 | round }} {{ 2.567 | round(2) }}
{{ undefined_name }}|{{ undefined_name | default('d') }}|{{ '' | default('e', true) }}|{{ undefined_name is defined }}|{{ none is none }}|{{ x is undefined }}|{{ {'a': 1}.b is defined }}|{{ {'a': 1}.get('b', 'g') }}|{{ {'a': 1}['a'] }}
{{ 4 is even }} {{ 4 is divisibleby 3 }} {{ 'a' is string }} {{ 1 is number }} {{ true is boolean }} {{ 1 is integer }} {{ 1.0 is float }} {{ {} is mapping }} {{ [] is sequence }} {{ 'abc' is iterable }} {{ 1 is not string }} {{ 'a' is in ['a'] }} {{ 3 is gt 2 }} {{ 'B' is upper }}
{{ {'a': [1, 2.5, null_value, true, 'é"<&>\\n\\u2028']} | tojson }} {{ 'it' | tojson }} {{ none | tojson }} {{ 1.0 | tojson }} {{ {'b': 1, 'a': {}} | tojson(sort_keys=true) }} {{ {'b': [1, {}], 'a': []} | tojson(indent=2) }} {{ [1, 2] | tojson(separators=(',', ':')) }}
{{ messages[0].content | length }} {{ messages[0].content | upper }} {{ messages[0]['content'][0] }} {{ '<b>' | escape }} {{ 'a b' | urlencode }} {{ 'abc' | indent(2, true) }} {{ 'one two three' | wordcount }} {{ ['a', 'b'] | list | batch(1) | list }} {{ [{'n': 2}, {'n': 1}] | map(attribute='n') | list }} {{ ['a ', ' b'] | map('trim') | join('+') }} {{ [0, 1, '', 'x'] | select | list }} {{ [1,2,3,4] | reject('odd') | list }} {{ {'x': 1, 'y': 2} | items | list }} {{ dict(a=1, b=2) }}"""
EXPRESSIONS = [
    *(s.strip("|") for line in _BLOCK.splitlines() for s in re.split(r"(?<=\}\})[ |]+(?=\{\{)", line)),
    "{% set a, b = 1, 2 %}{{ a + b }}",
    "{% set ns = namespace(n=0) %}{% for i in range(5) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
    "{% for i in [1] %}{% set leak = 'in' %}{% endfor %}{{ leak is defined }}",
    "{% set x = 'out' %}{% for i in [1] %}{% set x = 'in' %}{{ x }}{% endfor %}{{ x }}",
    "{% if true %}{% set kept = 'yes' %}{% endif %}{{ kept }}",
    "{% with q = 5 %}{{ q }}{% endwith %}{{ q is defined }}",
    "{% filter upper %}shout{% endfilter %}",
    "{% macro m(a, b='d') %}{{ a }}{{ b }}{% endmacro %}{{ m('x') }}{{ m('x', 'y') }}{{ m(b=1, a=2) }}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}-{{ b }};{% endfor %}",
    "{% for k in {'z': 1, 'a': 2} %}{{ k }}{% endfor %}",
    "{% for c in 'añ😀' %}[{{ c }}]{% endfor %}{{ 'añ😀' | length }}{{ 'añ😀'[2] }}",
    "{% if 0 %}a{% elif '' %}b{% elif [] %}c{% elif {} %}d{% elif none %}e{% elif 0.0 %}f{% else %}g{% endif %}",
    "{{ tools is none }} {{ tools is defined }} {{ documents is none }} {{ add_generation_prompt }}",
    "{{ messages }}",
    "{{ 'é\\n' ~ [\"é\\n\\t\\\\'\"] }}",
    "a\n", "a\n\n", "{{ 'x' }}\n", "{# c #}\nb", "{% if true %}\r\nx\r\n{% endif %}y",
]
