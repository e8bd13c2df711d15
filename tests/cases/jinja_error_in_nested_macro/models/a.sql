select 1
{{ outer_macro(1) }}
