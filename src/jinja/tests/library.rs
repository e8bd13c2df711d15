//! Methods, filters and Python's modules, as Python and Jinja2 answer.

use super::render;

/// Templates and what Python (or Jinja2) gives; `!` starts a part of the message of a failure.
fn check(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expression, expected) in cases {
        let template =
            if expression.contains("{%") { (*expression).to_owned() } else { format!("{{{{ {expression} }}}}") };
        let got = render(&template).map_err(|found| found.message().to_owned());
        let right = match (&got, expected.strip_prefix('!')) {
            (Ok(text), None) => text == expected,
            (Err(message), Some(part)) => message.contains(part),
            _ => false,
        };
        if !right {
            wrong.push(format!("{expression}\n  expected {expected}\n  got      {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn string_methods() {
    check(&[
        ("'a,b,,c'.split(',', 1)", "['a', 'b,,c']"),
        ("' a  b '.split()", "['a', 'b']"),
        ("' a  b c '.split(none, 1)", "['a', 'b c ']"),
        ("'a b c'.rsplit(none, 1)", "['a b', 'c']"),
        ("'a'.split('')", "!empty separator"),
        ("'a\\r\\nb\\n'.splitlines()", "['a', 'b']"),
        ("'a\\nb'.splitlines(true)", "['a\\n', 'b']"),
        ("'-5'.zfill(4)", "-005"),
        ("'ab'.center(5, '*')", "**ab*"),
        ("'abc'.rjust(5) ~ '|'", "  abc|"),
        ("'a.b.c'.rpartition('.')", "('a.b', '.', 'c')"),
        ("'stg_orders'.removeprefix('stg_')", "orders"),
        ("\"it's here\".title()", "It'S Here"),
        ("'abcabc'.find('c', 3)", "5"),
        ("'abc'.rfind('z')", "-1"),
        ("'abc'.index('z')", "!substring not found"),
        ("'aXbX'.count('X')", "2"),
        ("'a'.join(['x', 1])", "!sequence item 1: expected str instance, int found"),
        ("'abc'.isidentifier()", "True"),
        ("'{x}-{y}'.format_map({'x': 1, 'y': 'b'})", "1-b"),
        ("'{0!r} {0:>4}|'.format('a')", "'a'    a|"),
        ("'{!r}{}{:>3}'.format('a', 'b', 'c')", "'a'b  c"),
        ("'{x!r} {{}}'.format(x=[1])", "[1] {}"),
        ("'%r %s' % ('a', 'b')", "'a' b"),
        ("'%(x)r %(x)s' % {'x': 'a'}", "'a' a"),
        ("'ABC'.casefold()", "abc"),
        ("'x'.nope()", "!'str object' has no attribute 'nope'"),
        ("[1].nope()", "!'list object' has no attribute 'nope'"),
    ]);
}

#[test]
fn list_and_dict_methods() {
    check(&[
        ("[3, 1, 2].pop(-3)", "3"),
        ("[].pop()", "!pop from empty list"),
        ("[1].pop(4)", "!pop index out of range"),
        ("[1].index(2)", "!2 is not in list"),
        ("{% set x = ['bb', 'a'] %}{% do x.sort(reverse=true) %}{{ x }}", "['bb', 'a']"),
        ("{% set x = [1, 2] %}{% do x.insert(-1, 9) %}{% do x.insert(99, 8) %}{{ x }}", "[1, 9, 2, 8]"),
        ("{'a': 1}.pop('b')", "!KeyError: 'b'"),
        ("{'a': 1}.pop('b', none)", "None"),
        ("{% set d = {'a': 1} %}{% do d.update([('b', 2)], c=3) %}{{ d }}", "{'a': 1, 'b': 2, 'c': 3}"),
        ("dict({'a': 1}, b=2)", "{'a': 1, 'b': 2}"),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "True"),
        ("[[1, 2], [1]] | sort", "[[1], [1, 2]]"),
        ("(3, 1).count(3)", "1"),
    ]);
}

#[test]
fn operators() {
    check(&[
        ("-7 // 2", "-4"),
        ("7 % -3", "-2"),
        ("1 / 0", "!division by zero"),
        ("1 // 0", "!integer division or modulo by zero"),
        ("'a' + 1", "!can only concatenate str (not \"int\") to str"),
        ("[1] + (2,)", "!unsupported operand type(s) for +: 'list' and 'tuple'"),
        ("true + 1", "2"),
        ("2 ** 0.5", "1.4142135623730951"),
        ("2 ** 200", "!too large"),
        ("'ab' * 100000000", "!too large"),
        ("'abcdef'[::-2]", "fdb"),
        ("[1, 2, 3][-2:]", "[2, 3]"),
        ("[1][::0]", "!slice step cannot be zero"),
        ("(1, 2, 3)[1:]", "(2, 3)"),
        ("none[1:]", ""),
        ("('1e16' | float) ~ ''", "1e+16"),
        ("[1.0, 1e-7]", "[1.0, 1e-07]"),
        ("'%s and %d' % ('a', 3)", "a and 3"),
    ]);
}

#[test]
fn filters_and_tests() {
    check(&[
        ("['b', 'A', 'c'] | sort", "['A', 'b', 'c']"),
        ("[3, 1] | sort(true)", "[3, 1]"),
        ("[{'n': 2}, {'n': 1}] | sort(attribute='n') | map(attribute='n') | join", "12"),
        ("{'b': 1, 'a': 2} | dictsort(false, 'value')", "[('b', 1), ('a', 2)]"),
        ("[1, 2, 3] | batch(2, 0) | list", "[[1, 2], [3, 0]]"),
        ("[1, 2, 3] | slice(2) | list", "[[1, 2], [3]]"),
        ("[1, 2] | join('-')", "1-2"),
        ("[{'n': 1}] | join(',', attribute='n')", "1"),
        ("'12' | int + 1", "13"),
        ("'ff' | int(0, 16)", "255"),
        ("'3.9' | int", "3"),
        ("'x' | int(default=7)", "7"),
        ("'x' | float", "0.0"),
        ("2.675 | round(2)", "2.67"),
        ("1.25 | round(1, 'ceil')", "1.3"),
        ("{'b': '<a>', 'a': 1} | tojson", "{\"a\": 1, \"b\": \"\\u003ca\\u003e\"}"),
        ("none | list", "!'NoneType' object is not iterable"),
        ("5 | length", "!object of type 'int' has no len()"),
        ("'a b c d e f g h' | truncate(9)", "a b c..."),
        ("'x' is callable", "False"),
        ("ret_list is callable", "True"),
        ("[] is sameas []", "False"),
        ("nope | default('y', boolean=true)", "y"),
        ("1 + nope", "!a value in `1 + nope` is undefined"),
        ("'a b/ü' | urlencode", "a%20b/%C3%BC"),
        ("[1] | random", "1"),
        ("[1] | map('nofilter') | list", "!a name that is given here does not exist"),
        ("none | nofilter", "!there is no filter `nofilter`"),
        ("none is notest", "!there is no test `notest`"),
        ("cycler('a', 'b').next()", "a"),
        ("range(3, 0, -1) | list", "[3, 2, 1]"),
        ("range(0, 100000000000)", "!at most"),
        ("[[1, 2], [3]] | sum(start=[])", "[1, 2, 3]"),
        ("[1, 2, 2] | unique | list", "[1, 2]"),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        ("modules.re.sub('[^a-z]+', '_', 'ab--cd')", "ab_cd"),
        ("modules.re.sub('(\\\\w+) (\\\\w+)', '\\\\2 \\\\g<1>', 'a b')", "b a"),
        ("modules.re.sub('x*', '-', 'abxd')", "-a-b--d-"),
        ("modules.re.sub('(?P<n>a)', '[\\\\g<n>]', 'banana', 2)", "b[a]n[a]na"),
        ("modules.re.match('b', 'ab')", "None"),
        ("modules.re.match('(a)(x)?', 'ab').groups()", "('a', None)"),
        ("modules.re.fullmatch('a.*', 'abc').group()", "abc"),
        ("modules.re.search('(?P<y>\\\\d+)', 'in 2024!').groupdict()", "{'y': '2024'}"),
        ("modules.re.search('ü', 'aüb').span()", "(1, 2)"),
        ("modules.re.findall('a(b)(c)?', 'ab abc')", "[('b', ''), ('b', 'c')]"),
        ("modules.re.findall('\\\\d', 'a1b2')", "['1', '2']"),
        ("modules.re.split('(,)', 'a,b')", "['a', ',', 'b']"),
        ("modules.re.compile('A', modules.re.I).sub('x', 'aA')", "xx"),
        ("modules.re.search('a$', 'a\\n') is not none", "True"),
        ("modules.re.escape('a.b')", "a\\.b"),
        ("modules.re.search('[', 'x')", "!cannot be read"),
        ("modules.re.search('(?<=a)b', 'ab')", "<re.Match object; span=(1, 2), match='b'>"),
        ("modules.re.search('[[]x', 'a[x').start()", "1"),
    ]);
}

#[test]
fn dates_and_times() {
    check(&[
        ("modules.datetime.datetime(2024, 2, 29, 1, 2, 3)", "2024-02-29 01:02:03"),
        ("[modules.datetime.datetime(2024, 2, 29, 1, 2)]", "[datetime.datetime(2024, 2, 29, 1, 2)]"),
        ("modules.datetime.datetime(2024, 2, 30)", "!day is out of range for month"),
        ("modules.datetime.datetime(2024, 1, 31) + modules.datetime.timedelta(days=1, hours=2)", "2024-02-01 02:00:00"),
        ("modules.datetime.datetime(2024, 1, 2) - modules.datetime.datetime(2024, 1, 1)", "1 day, 0:00:00"),
        ("(modules.datetime.date(2024, 3, 1) - modules.datetime.date(2024, 2, 1)).days", "29"),
        ("modules.datetime.date(2024, 3, 1) - modules.datetime.timedelta(days=1)", "2024-02-29"),
        ("modules.datetime.timedelta(hours=36).total_seconds()", "129600.0"),
        ("modules.datetime.timedelta(seconds=-1)", "-1 day, 23:59:59"),
        ("[modules.datetime.timedelta(days=1.5)]", "[datetime.timedelta(days=1, seconds=43200)]"),
        ("modules.datetime.timedelta(days=3) / 2", "1 day, 12:00:00"),
        ("2 * modules.datetime.timedelta(minutes=5)", "0:10:00"),
        (
            "modules.datetime.datetime.strptime('2024-01-02 03:04:05.5', '%Y-%m-%d %H:%M:%S.%f')",
            "2024-01-02 03:04:05.500000",
        ),
        ("modules.datetime.datetime.strptime('Jan 2, 24 3PM', '%b %d, %y %I%p')", "2024-01-02 15:00:00"),
        ("modules.datetime.datetime.strptime('x', '%Y')", "!time data 'x' does not match format '%Y'"),
        ("modules.datetime.datetime.strptime('2024x', '%Y')", "!unconverted data remains: x"),
        ("modules.datetime.datetime.fromisoformat('2024-01-02T03:04:05+02:00')", "2024-01-02 03:04:05+02:00"),
        ("modules.datetime.datetime.fromisoformat('2024-01-02T03:04:05Z').isoformat()", "2024-01-02T03:04:05+00:00"),
        ("modules.datetime.date.fromisoformat('2024-13-02')", "!Invalid isoformat string"),
        (
            "modules.datetime.datetime(2024, 1, 2, 3, 4, 5, 678).strftime('%Y%m%dT%H%M%S.%f %a %j %%')",
            "20240102T030405.000678 Tue 002 %",
        ),
        ("modules.datetime.date(2024, 1, 2).strftime('%-d/%-m')", "2/1"),
        ("modules.datetime.datetime(2024, 1, 2).strftime('%Q')", "!Invalid format string"),
        ("modules.datetime.datetime(2024, 1, 2) < modules.datetime.datetime(2024, 1, 3)", "True"),
        ("modules.datetime.datetime(2024, 1, 2, 3).date()", "2024-01-02"),
        ("modules.datetime.datetime(2024, 1, 2).replace(day=1, hour=5)", "2024-01-01 05:00:00"),
        ("modules.datetime.datetime(2024, 1, 2).weekday()", "1"),
        ("modules.datetime.datetime.fromtimestamp(1.5)", "1970-01-01 00:00:01.500000"),
        ("modules.datetime.datetime(2024, 1, 2, tzinfo=modules.pytz.utc).timestamp()", "1704153600.0"),
        ("modules.datetime.datetime.now().year >= 2024", "True"),
        (
            "modules.datetime.datetime.now(modules.pytz.utc) >= modules.datetime.datetime(2024, 1, 2, tzinfo=modules.pytz.utc)",
            "True",
        ),
    ]);
}

#[test]
fn time_zones() {
    check(&[
        (
            "modules.pytz.timezone('Europe/Berlin').localize(modules.datetime.datetime(2024, 7, 1))",
            "2024-07-01 00:00:00+02:00",
        ),
        (
            "modules.datetime.datetime(2024, 7, 1, tzinfo=modules.pytz.utc).astimezone(modules.pytz.timezone('America/New_York'))",
            "2024-06-30 20:00:00-04:00",
        ),
        // As `tzinfo`, a zone of pytz is its local mean time; only localize and astimezone look at the date.
        (
            "modules.datetime.datetime(1997, 9, 29, 6, 14, tzinfo=modules.pytz.timezone('America/Los_Angeles'))",
            "1997-09-29 06:14:00-07:53",
        ),
        (
            "modules.datetime.datetime(2024, 7, 1).replace(tzinfo=modules.pytz.timezone('Europe/Berlin')).astimezone(modules.pytz.utc)",
            "2024-06-30 23:07:00+00:00",
        ),
        (
            "modules.datetime.datetime(2024, 7, 1, tzinfo=modules.pytz.timezone('Europe/Berlin')).tzinfo.localize(modules.datetime.datetime(2024, 7, 1))",
            "2024-07-01 00:00:00+02:00",
        ),
        ("modules.pytz.timezone('Europe/Berln')", "!did you mean 'Europe/Berlin'"),
        ("modules.pytz.timezone('UTC')", "UTC"),
        ("modules.datetime.datetime(2024, 7, 1, tzinfo=modules.datetime.timezone.utc).strftime('%z %Z')", "+0000 UTC"),
        (
            "modules.pytz.timezone('Europe/Berlin').localize(modules.datetime.datetime(2024, 7, 1)).strftime('%Z')",
            "CEST",
        ),
    ]);
}

#[test]
fn itertools() {
    check(&[
        ("modules.itertools.product('ab', [1, 2]) | list", "[('a', 1), ('a', 2), ('b', 1), ('b', 2)]"),
        ("modules.itertools.product([0, 1], repeat=2) | list | length", "4"),
        ("modules.itertools.combinations([1, 2, 3], 2)", "[(1, 2), (1, 3), (2, 3)]"),
        ("modules.itertools.combinations_with_replacement('ab', 2) | length", "3"),
        ("modules.itertools.permutations([1, 2])", "[(1, 2), (2, 1)]"),
        ("modules.itertools.chain([1], (2,))", "[1, 2]"),
        ("modules.itertools.chain.from_iterable([[1], [2]])", "[1, 2]"),
        ("modules.itertools.accumulate([1, 2, 3])", "[1, 3, 6]"),
        ("modules.itertools.islice([1, 2, 3, 4], 1, 4, 2)", "[2, 4]"),
        ("modules.itertools.zip_longest([1, 2], ['a'], fillvalue='-')", "[(1, 'a'), (2, '-')]"),
        ("modules.itertools.compress('abc', [1, 0, 1])", "['a', 'c']"),
        ("modules.itertools.starmap(add1, [(1,), (2,)])", "[2, 3]"),
        ("modules.itertools.repeat('x', 2)", "['x', 'x']"),
        ("modules.itertools.cycle('ab')", "!without an end"),
        ("modules.itertools.product(range(2000), range(2000))", "!more than 1000000"),
    ]);
}
