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
    # String literals are Python's.
    "{{ \"one\\\ntwo\" }}",
    r"{{ '\x41\u2581\U0001F600 \101' }}", r"{{ 'a\'b\"c\\d\t|\r|\a|\b|\f|\v|\0' | tojson }}", r"{{ '\d\.\/\{' }}", r"{{ 'C:\\x' ~ '\7' | length }}",
    r"{{ '{% generation %}' }}{{ '{{ x }}' }}{{ '{# c #}' }}", r"{% set q = 'it\'s' %}{{ q }}", "{{ 'a' 'b' }}",
    # Loops over texts, tuples and what else can be looped over.
    "{% for c in 'ab' %}{{ c }}{% if not loop.last %},{% endif %}{{ loop.length }}{% endfor %}",
    "{% macro m(c) %}{% for i in c %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}{% endmacro %}{{ m([1,2]) }}{{ m('ab') }}",
    "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for x in [1, 2, 3] if x in (1, 3,) -%} {{ x }} {%- endfor %}",
    "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{{ loop.index }}{{ loop.revindex }}{{ loop.first }}{% endfor %}",
    "{% for x in none_value or [] %}a{% else %}empty{% endfor %}", "{% for x in undefined_name %}a{% else %}empty{% endfor %}",
    "{%- for x in [[1, [2]], [3]] recursive -%}{{ x if x is not iterable else loop(x) }}{%- endfor -%}",
    "{% for m in messages if m.role == 'user' %}{{ loop.length }}{{ m.content[:2] }}{% endfor %}",
    "{% for i in range(3) %}{{ loop.cycle('a', 'b') }}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in range(9) %}{% if i > 2 %}{% break %}{% endif %}{{ i }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}",
    "{% for x in 'a b'.split() + ['c'] %}{{ x }}{{ loop.index0 }}{{ loop.depth }}{% endfor %}",
    "{% for x in ('ab' if true else []) %}{{ x }}{{ loop.last }}{% endfor %}", "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in {'b': 1, 'a': 2} | dictsort %}{{ x[0] }}{% endfor %}", "{% for c in messages[0].content | reverse %}{{ c }}{% endfor %}",
    # Python's methods.
    "{{ 'a=b=c'.partition('=') | list }}{{ 'a=b=c'.rpartition('=') | list }}{{ 'abc'.partition('x') | list }}{{ 'abc'.rpartition('x') | list }}",
    "{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ {'a': 1}.items() | list }}{{ {'b': 1, 'a': 2} | dictsort }}",
    "{{ 'prefix_x'.removeprefix('prefix_') }}{{ 'x.py'.removesuffix('.py') }}{{ 'x'.removeprefix('y') }}",
    "{{ '7'.zfill(3) }}{{ '-7'.zfill(4) }}{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3) }}|{{ 'a'.center(4, '*') }}|{{ 'ab'.center(5, '*') }}|{{ 'é'.rjust(2, '.') }}",
    "{{ 'abcabc'.index('c') }}{{ 'éabc'.rindex('c') }}{{ 'abcabc'.rfind('c') }}{{ 'éa'.find('a') }}{{ 'aBc'.swapcase() }}{{ 'abc'.rfind('x') }}",
    "{{ {'b': 1}.copy() }}{{ {'b': 1}.keys() | list }}{{ {'b': 1}.values() | list }}{{ {'b': 1}.get('c') }}",
    "{{ [3,1,2].index(1) }}{{ [1,1,2].count(1) }}{{ [1,2].copy() }}{{ 'aaa'.count('a') }}",
    "{{ 'abc'.isalpha() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ 'A'.isupper() }}{{ 'a'.islower() }}{{ '½'.isnumeric() }}{{ 'é'.isascii() }}",
    "{{ 'a.b.c'.split('.', 1) }}{{ ' a b '.rsplit(None, 1) }}{{ 'a,b'.rsplit(',') }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'a\\r\\nb'.splitlines() }}",
    "{{ 'xxabxx'.lstrip('x') }}{{ 'xxabxx'.rstrip('xb') }}{{ 'a' * 3 }}{{ [1] * 2 }}{{ [1] + [2] }}{{ '-'.join('abc') }}",
    "{{ '{0}{1}{0}'.format('a', 'b') }}{{ '{x}'.format(x=1) }}{{ '{:>3}'.format(7) }}{{ '{:.2f}'.format(1.005) }}",
    # Filters.
    "{{ 'a long text here' | truncate(length=9) }}", "{{ 'foo bar baz' | truncate(7, true, '') }}", "{{ +1 }}", "{{ ' a ' | trim }}|{{ 'aab' | trim('a') }}",
    r"{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, first=true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('>> ') }}",
    "{{ {'b':1,'a':2} | dictsort | list | length }}{{ {'b':1,'a':2} | dictsort(by='value', reverse=true) | first | first }}",
    "{{ {'a': 'é'} | tojson(true) }}{{ {'a': [1]} | tojson(indent='\\t') }}{{ {'a': [1]} | tojson(indent=0) }}{{ 'é' | tojson(2) }}",
    "{{ [1, 2] | tojson(false, 2) }}{{ {} | tojson(indent=2) }}{{ [none, true, 1.5, 1e20, 'a/b'] | tojson }}",
    "{{ [1,2,3] | last }}{{ 'abc' | first }}{{ [] | first is defined }}{{ 'abc' | length }}{{ {'a': 1} | length }}{{ [1, 2] | sum(start=3) }}",
    "{{ [{'a': 1}, {'a': 2}] | selectattr('a', 'equalto', 2) | list }}{{ [{'a': 1}, {}] | selectattr('a', 'defined') | list | length }}",
    "{{ [{'a': 1}, {'a': 2}] | rejectattr('a', 'eq', 2) | map(attribute='a') | join(',') }}{{ [1, 2, 3] | map('string') | join }}",
    "{{ [{'a': {'b': 3}}] | map(attribute='a.b') | first }}{{ [{}] | map(attribute='a', default='d') | first }}",
    "{{ ['a', 'B', 'a'] | unique | join }}{{ ['b', 'A'] | sort(case_sensitive=true) | join }}{{ [{'n': 2}, {'n': 1}] | sort(attribute='n') | map(attribute='n') | join }}",
    "{{ [{'r': 1, 'x': 1}, {'r': 2, 'x': 2}, {'r': 1, 'x': 3}] | groupby('r') | length }}{{ [1,2,3,4,5] | slice(2) | list }}{{ [1,2,3] | batch(2, 0) | list }}",
    "{{ 'x' | default('d') }}{{ none | default('d') }}{{ none | default('d', boolean=true) }}{{ undefined_name | d('e') }}",
    "{{ '3.7' | float }}{{ 'x' | float(1.5) }}{{ 3.2 | int }}{{ '0x1f' | int(0, 16) }}{{ 7 | string ~ 1 }}{{ 1 | string | length }}",
    "{{ 2.5 | round }}{{ 2.45 | round(1, 'floor') }}{{ 1.1 | round(0, 'ceil') }}{{ 42 | abs }}{{ [1, 2] | min }}{{ 'ab' | list }}",
    "{{ 'a<b' | e }}{{ 'a<b' | safe }}{{ 'a b/c' | urlencode }}{{ {'a': 1} | items | list | length }}{{ 'hello there' | title }}{{ 'x y' | replace(' ', '_') }}",
    "{{ 'a-b' | replace('-', '+') | upper | lower | capitalize }}{{ 'one two' | wordcount }}{{ ['x', none, 0, 'y'] | select | join }}",
    # Functions, tests, statements.
    "{% set c = cycler('a','b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{% set j = joiner('; ') %}{{ j() }}1{{ j() }}2",
    "{{ {'a': 1, 'b': [1, 2,], } }}{{ [1, 2,] }}{{ dict(a=1, b=2,) }}{% if (1, 2) == (1, 2) %}y{% endif %}",
    "{{ range(3) | list }}{{ range(1, 6, 2) | list }}{{ range(3, 0, -1) | list }}{{ 2 in range(3) }}{{ range(0) | list }}",
    "{{ 1 is odd }}{{ none is not none }}{{ 'a' is eq 'a' }}{{ 3 is lt 4 }}{{ [] is iterable }}{{ {} is not sequence }}{{ 'a' is lower }}{{ 1 is true }}{{ true is true }}",
    "{{ messages is iterable and messages is not mapping }}{{ messages[0] is mapping }}{{ 'a' is defined and undefined_name is not defined }}{{ 2 is sameas 2 }}",
    "{% set x %}block {{ 1 }}{% endset %}{{ x }}{{ x | length }}", "{% set x = namespace(a=1, b=[]) %}{% set x.b = x.b + [2] %}{{ x.b }}{{ x.a }}",
    "{% macro m(x, y=2) -%} {{ x }}{{ y }} {%- endmacro %}{{ m(1) }}{{ m(x=3, y=4) }}{{ m.name }}",
    "{% macro inner() %}{{ caller() }}!{% endmacro %}{% call inner() %}hi{% endcall %}", "{% raw %}{{ x }}{% endraw %}{% raw -%} {% if %} {%- endraw %}",
    "{%- if messages[0]['role'] == 'user' and not (tools is defined and tools) -%} ok {%- endif -%}", "{{- 'a' -}} b {{- 'c' }} d", "  {% if true %}  x{% endif %}\n  y",
    "{{ messages[0].nothing is defined }}{{ messages[0]['nothing'] | default('d') }}{{ messages[-1].role }}{{ messages | length - 1 }}",
    "{{ 1 if true }}{{ 'b' if false else 'c' if false else 'd' }}{{ (1 if true else 2) + 1 }}", "{{ not none }}{{ not [] and 1 }}{{ 1 and 2 }}{{ 0 or none }}",
    "{{ 'a' < 'b' }}{{ [1] == [1] }}{{ {'a': 1} == {'a': 1} }}{{ 1 != 1.0 }}{{ none == false }}{{ 'a' == 'A' | lower }}{{ 3 > 2 >= 2 }}",
    "{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abc'[1:][0] }}{{ [1, 2, 3][::-1] }}{{ 'abc'[10:] }}{{ [1,2,3][:-1] }}{{ 'héllo'[1:3] }}",
    "{{ 5 % 3 }}{{ -5 % 3 }}{{ 5.5 // 2 }}{{ 2 ** 3 ** 2 }}{{ -2 ** 2 }}{{ 1e3 | int }}{{ 1_000 }}{{ 0x10 }}{{ 0b11 }}{{ 0o17 }}",
    "{{ 10 / 4 }}{{ 7 // 2.0 }}{{ 1 - -1 }}{{ 3 * 'ab' }}{{ 1.0 }}{{ 100000000000000000000 }}{{ 0.1 }}", "{{ 1e-7 }}",
    "{{ true + 1 }}{{ [true, false, none] }}{{ {'a': none, 1: 'b'} }}{{ (1, 'a', (2,)) | list }}{{ 'tab\\there' }}{{ ['é', '\\n'] }}",
    "{# a {{ b }} #}x{#- y -#} z", "{% set a = [] %}{% set _ = a.append(1) if false %}{{ a }}", "{{ messages | map(attribute='role') | list }}",
    "{{ [1, 2] | length == 2 and 'yes' or 'no' }}", "{% filter indent(2) %}a\nb{% endfilter %}", "{{ 'x' | center(5) }}|", "{{ 'abc' | list | join('-') }}",
    "{{ 'a' ~ 1.0 ~ [1] ~ {'k': 'v'} ~ none ~ true }}", "{{ '%s' % 'x' }}", "{{ '%s and %d' % ('a', 2) }}", "{{ 'ß'.casefold() }}",
    "{{ 'foo bar' | wordwrap(3) }}", "{{ '<p>a</p>' | striptags }}", "{{ 1234567 | filesizeformat }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "{{ (1, 2) }}{{ ('a',) }}", "{{ {'B':1,'a':2} | dictsort(true) }}",
]
