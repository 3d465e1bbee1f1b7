"""Chat templates written for these goldens, in the manner of the families that Hearth meets, and what to render."""

TEMPLATES = {
    "chatml": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful assistant.<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}""",

    "llama3_like": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{#- The system message, if any, is taken out of the list. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: functions\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("Only one tool call at a time!") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",

    "mistral_like": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('After the optional system message, conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
""",

    "gemma_like": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}""",

    "qwen_like_tools": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n\\nYou may call one or more functions.\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",

    "deepseek_like_think": """{%- if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{%- set ns = namespace(is_first=false, system_prompt='', is_first_sp=true) %}
{%- for message in messages %}
    {%- if message['role'] == 'system' %}
        {%- if ns.is_first_sp %}
            {%- set ns.system_prompt = ns.system_prompt + message['content'] %}
            {%- set ns.is_first_sp = false %}
        {%- else %}
            {%- set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{{- bos_token ~ ns.system_prompt }}
{%- for message in messages %}
    {%- if message['role'] == 'user' %}
        {{- '<|User|>' + message['content'] }}
    {%- endif %}
    {%- if message['role'] == 'assistant' and message['content'] is not none %}
        {%- set content = message['content'] %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].strip() %}
        {%- endif %}
        {{- '<|Assistant|>' + content + eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}
""",

    "parts_and_macros": """{%- macro render_content(content, upper=false) -%}
    {%- if content is string -%}
        {{- content | upper if upper else content -}}
    {%- elif content is iterable and content is not mapping -%}
        {%- for item in content -%}
            {%- if item.type == 'text' -%}
                {{- item.text -}}
            {%- elif 'image' in item or item['type'] in ['image', 'image_url'] -%}
                <image>
            {%- else -%}
                {{- raise_exception('Unknown part: ' ~ item.type) -}}
            {%- endif -%}
        {%- endfor -%}
    {%- elif content is none or content is undefined -%}
        {{- '' -}}
    {%- else -%}
        {{- raise_exception('Unexpected content') -}}
    {%- endif -%}
{%- endmacro -%}
{%- set users = messages | selectattr('role', 'equalto', 'user') | list -%}
{%- set roles = messages | map(attribute='role') | unique | join('|') -%}
[{{ users | length }}/{{ messages | length }} {{ roles }}]
{% for message in messages if message.role not in ('system', 'developer') %}
{{ loop.index }}/{{ loop.length }}{{ ' first' if loop.first }}{{ ' last' if loop.last else '' }} {{ message.role | capitalize }}: {{ render_content(message.content, upper=(message.role == 'user')) }}
{% else %}
(nothing)
{% endfor %}
{%- set tail -%}
    {{ (messages | last).role }}!
{%- endset -%}
{{ tail | replace('user', 'U') }}""",

    "loop_controls": """{% for m in messages %}
{% if m.role == 'system' %}{% continue %}{% endif %}
{% if m.content == 'stop' %}{% break %}{% endif %}
{{ loop.index }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.cycle('odd', 'even') }} {{ loop.previtem.role if loop.previtem is defined else '^' }}<{{ m.role }}>{{ loop.nextitem.role if loop.nextitem is defined else '$' }}{{ ' changed' if loop.changed(m.role) }}
{% endfor %}
{% for k, v in extra.items() %}{{ k }}={{ v }};{% endfor %}

{% for k, v in extra | dictsort %}{{ k }}:{{ v }},{% endfor %}

{% for i in range(3) %}{% for j in range(i, 5, 2) %}{{ i * j }} {% endfor %}{% endfor %}

{%- generation %} generated {% endgeneration %}
done""",

    "whitespace": """  {# comment, with a newline after #}
{% if true %}
    indented kept
{% endif %}
    {% if true %}lstripped{% endif %}

  {%+ if true %}not lstripped{% endif +%}
newline kept
{{ 'expr' }}
  {{- ' eats before' }}  {{ 'eats after' -}}   
   next
{% raw %}{{ raw }} {% not %}{% endraw %}|
{%- set x = 1 %}

{%- if x == 1 -%}
   tight
{%- endif -%}
|{{ "tab\\tnl\\nq\\"\\u00e9\\\\" }}|{{ 'it\\'s' }}|
trailing
""",

    "undefined_attribute": "{{ messages[0].nothing.more }}",
    "undefined_call": "{{ messages[0].nothing() }}",
    "undefined_add": "{{ 'a' + messages[0].nothing }}",
    "str_plus_int": "{{ 'a' + 1 }}",
    "str_plus_none": "{{ 'a' + messages[0].content }}",
    "syntax_error": "{% if messages %}never closed",
    "unknown_filter": "{{ messages | no_such_filter }}",
    "sandboxed_attribute": "{{ ''.__class__.__mro__ }}",
    "mutate_list": "{{ messages.append(1) }}",
    "plain_raise": "{% if messages | length > 1 %}{{ raise_exception('Too many: ' ~ messages | length) }}{% endif %}ok",
}

S = lambda text: {"role": "system", "content": text}
U = lambda text: {"role": "user", "content": text}
A = lambda text: {"role": "assistant", "content": text}

GEN = {"add_generation_prompt": True}
BOS = {"bos_token": "<s>", "eos_token": "</s>"}
L3 = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
ONE = [U("Hello!")]
THREE = [S("Be brief."), U("What is 2+2?"), A("  4\n"), U("And 3+3? \n")]
UNICODE = [U("  Größe 世界 👩‍💻 <b>&amp;</b> \"q\" '\\n'\n\n"), A("\n\tok\u00a0"), U("")]

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Get the weather of a city (°C) & \"more\".",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": "e.g. Zürich"},
            "days": {"type": "integer", "default": 1, "minimum": 0.5}, "exact": {"type": "boolean", "default": False},
        }, "required": ["city"]}}},
    {"type": "function", "function": {"name": "noop", "parameters": {"type": "object", "properties": {}, "x": None}}},
]
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "z": [1.5, None]}}}]}
CALLS = {"role": "assistant", "content": "Let me look.", "tool_calls": [
    {"type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Oslo\"}"}},
    {"name": "noop", "arguments": {}}]}
TOOL_REPLY = {"role": "tool", "content": "{\"temp\": 21}"}
THINK = [U("Hi"), A("<think>\nThey greet me.\n</think>\n\nHello!"), U("Bye"), A("<think>\n\nEnd.\n\n</think>\n\nGoodbye.")]

# (name, template, messages, options, "text" or "raise")
CASES = [
    ("chatml default system", "chatml", ONE, GEN, "text"),
    ("chatml history", "chatml", THREE, GEN, "text"),
    ("chatml no generation prompt", "chatml", THREE, {}, "text"),
    ("chatml unicode", "chatml", UNICODE, GEN, "text"),
    ("chatml no messages", "chatml", [], GEN, "text"),
    ("chatml content missing", "chatml", [{"role": "user"}], GEN, "raise"),
    ("chatml content none", "chatml", [{"role": "user", "content": None}], GEN, "raise"),
    ("llama3 one", "llama3_like", ONE, GEN | L3, "text"),
    ("llama3 history", "llama3_like", THREE, GEN | L3, "text"),
    ("llama3 date given", "llama3_like", ONE, GEN | L3 | {"date_string": "1 Jan 2000"}, "text"),
    ("llama3 tools", "llama3_like", [U("Weather?"), CALL, TOOL_REPLY], GEN | L3 | {"tools": TOOLS}, "text"),
    ("llama3 two calls", "llama3_like", [U("Weather?"), CALLS], GEN | L3 | {"tools": TOOLS}, "raise"),
    ("mistral history", "mistral_like", THREE, BOS, "text"),
    ("mistral two users", "mistral_like", [U("a"), U("b")], BOS, "raise"),
    ("mistral starts with assistant", "mistral_like", [A("a")], BOS, "raise"),
    ("mistral unknown role", "mistral_like", [U("a"), {"role": "critic", "content": "b"}], BOS, "raise"),
    ("gemma history", "gemma_like", THREE[1:], GEN | {"bos_token": "<bos>"}, "text"),
    ("gemma unicode", "gemma_like", UNICODE, GEN | {"bos_token": "<bos>"}, "text"),
    ("gemma system", "gemma_like", THREE, GEN | {"bos_token": "<bos>"}, "raise"),
    ("gemma order", "gemma_like", [A("x")], GEN | {"bos_token": "<bos>"}, "raise"),
    ("qwen plain", "qwen_like_tools", THREE, GEN, "text"),
    ("qwen no thinking", "qwen_like_tools", ONE, GEN | {"enable_thinking": False}, "text"),
    ("qwen thinking", "qwen_like_tools", ONE, GEN | {"enable_thinking": True}, "text"),
    ("qwen old thoughts dropped", "qwen_like_tools", THINK, {}, "text"),
    ("qwen reasoning_content", "qwen_like_tools", [U("Hi"), A("Hello!") | {"reasoning_content": "\nGreet.\n"}], {}, "text"),
    ("qwen tools", "qwen_like_tools", [S("Be exact."), U("Weather?"), CALLS, TOOL_REPLY, TOOL_REPLY], GEN | {"tools": TOOLS}, "text"),
    ("qwen tools no system", "qwen_like_tools", [U("Weather?"), CALL, TOOL_REPLY, A("21 °C")], {"tools": TOOLS}, "text"),
    ("qwen empty tools", "qwen_like_tools", ONE, GEN | {"tools": []}, "text"),
    ("think dropped", "deepseek_like_think", THINK, GEN | BOS, "text"),
    ("think two systems", "deepseek_like_think", [S("One."), S("Two."), *THINK[:3]], GEN | BOS, "text"),
    ("parts", "parts_and_macros", [S("s"), {"role": "user", "content": [
        {"type": "text", "text": "look "}, {"type": "image"}, {"type": "text", "text": " here"}]}, A("I see.")], {}, "text"),
    ("parts none", "parts_and_macros", [U("hi"), {"role": "assistant", "content": None}, U("yo")], {}, "text"),
    ("parts nothing to say", "parts_and_macros", [S("s")], {}, "text"),
    ("parts unknown", "parts_and_macros", [{"role": "user", "content": [{"type": "audio"}]}], {}, "raise"),
    ("parts number", "parts_and_macros", [{"role": "user", "content": 5}], {}, "raise"),
    ("loop controls", "loop_controls", [S("s"), U("a"), U("b"), A("c"), U("stop"), U("never")],
     {"extra": {"b": 1, "a": [None, True], "C": "x"}}, "text"),
    ("whitespace", "whitespace", ONE, {}, "text"),
    ("undefined attribute", "undefined_attribute", ONE, {}, "raise"),
    ("undefined call", "undefined_call", ONE, {}, "raise"),
    ("undefined add", "undefined_add", ONE, {}, "raise"),
    ("string plus int", "str_plus_int", ONE, {}, "raise"),
    ("string plus none", "str_plus_none", [{"role": "user", "content": None}], {}, "raise"),
    ("string plus string", "str_plus_none", ONE, {}, "text"),
    ("syntax error", "syntax_error", ONE, {}, "raise"),
    ("unknown filter", "unknown_filter", ONE, {}, "raise"),
    ("sandbox", "sandboxed_attribute", ONE, {}, "raise"),
    ("immutable list", "mutate_list", ONE, {}, "raise"),
    ("raise two", "plain_raise", THREE, {}, "raise"),
    ("raise not", "plain_raise", ONE, {}, "text"),
]
