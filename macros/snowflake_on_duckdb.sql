-- Snowflake's functions on DuckDB, for SQL that was written in the Snowflake dialect.
--
-- The translated SQL calls them by their schema: `snowflake.dateadd_day(1, x)`. Each macro does what Snowflake's
-- documentation says, NULLs included: an argument that is NULL makes the result NULL unless its comment says
-- otherwise. A VARIANT, OBJECT or ARRAY is JSON; a NULL inside one is JSON's null. Every timestamp is a TIMESTAMP
-- in UTC, so that nothing depends on the extension ICU. `typeof(x)` is known when a statement is planned, so its
-- conditions cost nothing at run time. Names that begin with `_` stand in lambdas and cannot meet a column's.

create schema if not exists snowflake;

-- Text of values ----------------------------------------------------------------------------------------------

-- As Snowflake writes a value: a VARIANT's text without quotes, 1.0 as 1, three digits after a timestamp's second.
create or replace macro snowflake.to_varchar(x) as
  case
    when typeof(x) = 'VARCHAR' then cast(x as varchar)
    when typeof(x) = 'JSON' then json_extract_string(to_json(x), '$')
    when typeof(x) in ('DOUBLE', 'FLOAT') then regexp_replace(cast(x as varchar), '\.0$', '')
    when typeof(x) in ('TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS') then strftime(cast(x as timestamp), '%Y-%m-%d %H:%M:%S.%g')
    when typeof(x) = 'BLOB' then hex(cast(x as blob))
    else cast(x as varchar)
  end;

-- A text that is too long is an error, never cut.
create or replace macro snowflake.to_varchar_within(x, size) as
  case
    when length(snowflake.to_varchar(x)) > size
      then error('a text of ' || length(snowflake.to_varchar(x)) || ' characters does not fit into VARCHAR(' || size || ')')
    else snowflake.to_varchar(x)
  end;

create or replace macro snowflake.try_to_varchar_within(x, size) as
  case when length(snowflake.to_varchar(x)) <= size then snowflake.to_varchar(x) end;

-- Numbers and booleans ----------------------------------------------------------------------------------------

-- Half is rounded away from zero, also where `x` is a DOUBLE.
create or replace macro snowflake.to_integer(x) as
  case
    when typeof(x) in ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'BOOLEAN') then cast(x as bigint)
    when typeof(x) = 'JSON' then cast(cast(snowflake.to_varchar(x) as decimal(38, 0)) as bigint)
    else cast(cast(x as decimal(38, 0)) as bigint)
  end;

create or replace macro snowflake.to_double(x) as
  cast(snowflake.to_varchar(x) as double);

create or replace macro snowflake.try_to_double(x) as
  try_cast(snowflake.to_varchar(x) as double);

create or replace macro snowflake.try_to_boolean(x) as
  case
    when typeof(x) = 'BOOLEAN' then cast(x as boolean)
    when lower(trim(snowflake.to_varchar(x))) in ('true', 't', 'yes', 'y', 'on', '1') then true
    when lower(trim(snowflake.to_varchar(x))) in ('false', 'f', 'no', 'n', 'off', '0') then false
    when typeof(x) not in ('VARCHAR', 'JSON') then try_cast(snowflake.to_varchar(x) as double) <> 0
  end;

create or replace macro snowflake.to_boolean(x) as
  case
    when typeof(x) = 'BOOLEAN' then cast(x as boolean)
    when snowflake.to_varchar(x) is null then null
    when snowflake.try_to_boolean(x) is null then error('''' || snowflake.to_varchar(x) || ''' is no BOOLEAN')
    else snowflake.try_to_boolean(x)
  end;

create or replace macro snowflake.to_binary(x) as
  case when typeof(x) = 'BLOB' then cast(x as blob) else unhex(cast(x as varchar)) end;

-- Digits after the point of a quotient: six more than the dividend has, at least 6 and at most 12.
create or replace macro snowflake.quotient_scale(x) as
  case
    when starts_with(typeof(x), 'DECIMAL')
      then greatest(least(cast(regexp_extract(typeof(x), ',(\d+)\)', 1) as integer) + 6, 12), cast(regexp_extract(typeof(x), ',(\d+)\)', 1) as integer))
    else 6
  end;

-- Exact numbers give a quotient rounded to Snowflake's scale (as DOUBLE: 15 digits are right); a floating-point
-- number or a text gives all digits. Division by zero is an error.
create or replace macro snowflake.divide(a, b) as
  case
    when b = 0 then case when a is null then null else error('Division by zero') end
    when typeof(a) in ('DOUBLE', 'FLOAT', 'VARCHAR') or typeof(b) in ('DOUBLE', 'FLOAT', 'VARCHAR') then cast(a as double) / cast(b as double)
    else round(cast(a as double) / cast(b as double), snowflake.quotient_scale(a))
  end;

create or replace macro snowflake.divide_or_null(a, b) as
  case when b <> 0 then snowflake.divide(a, b) end;

create or replace macro snowflake.div0(a, b) as
  case when b = 0 and a is not null then 0 else snowflake.divide(a, b) end;

create or replace macro snowflake.div0null(a, b) as
  case when a is not null and (b = 0 or b is null) then 0 else snowflake.divide(a, b) end;

-- The sign is that of the dividend. A divisor of zero is an error.
create or replace macro snowflake.modulo(a, b) as
  case when b = 0 then case when a is null then null else error('Division by zero') end else a % b end;

create or replace macro snowflake.square(x) as x * x;
create or replace macro snowflake.factorial(x) as factorial(cast(x as integer));
create or replace macro snowflake.zeroifnull(x) as coalesce(x, 0);
create or replace macro snowflake.nullifzero(x) as nullif(x, 0);
create or replace macro snowflake.ceil_to(x, scale) as ceil(x * pow(10, scale)) / pow(10, scale);
create or replace macro snowflake.floor_to(x, scale) as floor(x * pow(10, scale)) / pow(10, scale);
create or replace macro snowflake.bitand(a, b) as cast(a as bigint) & cast(b as bigint);
create or replace macro snowflake.bitor(a, b) as cast(a as bigint) | cast(b as bigint);
create or replace macro snowflake.bitxor(a, b) as xor(cast(a as bigint), cast(b as bigint));
create or replace macro snowflake.bitnot(a) as ~cast(a as bigint);
create or replace macro snowflake.bitshiftleft(a, n) as cast(a as bigint) << cast(n as integer);
create or replace macro snowflake.bitshiftright(a, n) as cast(a as bigint) >> cast(n as integer);
create or replace macro snowflake.getbit(a, n) as (cast(a as bigint) >> cast(n as integer)) & 1;

-- Kilometres between two points on a sphere with the radius 6371 km.
create or replace macro snowflake.haversine(lat1, lon1, lat2, lon2) as
  2 * 6371 * asin(sqrt(pow(sin(radians(lat2 - lat1) / 2), 2) + cos(radians(lat1)) * cos(radians(lat2)) * pow(sin(radians(lon2 - lon1) / 2), 2)));

-- 0 below the first bucket, one more than there are above the last.
create or replace macro snowflake.width_bucket(x, low, high, buckets) as
  case
    when x is null or low is null or high is null or buckets is null then null
    when x < low then 0
    when x >= high then cast(buckets as bigint) + 1
    else cast(floor(cast(x - low as double) * buckets / (high - low)) as bigint) + 1
  end;

-- A whole number of 64 bits.
create or replace macro snowflake.random() as
  cast(hash(random()) >> 1 as bigint) * case when random() < 0.5 then -1 else 1 end;

create or replace macro snowflake.uuid_string() as cast(uuid() as varchar);

-- Conditions --------------------------------------------------------------------------------------------------

create or replace macro snowflake.iff(condition, yes, no) as case when condition then yes else no end;
create or replace macro snowflake.nvl2(x, present, absent) as case when x is not null then present else absent end;
-- NULL equals NULL.
create or replace macro snowflake.equal_null(a, b) as a is not distinct from b;
create or replace macro snowflake.booland(a, b) as (a <> 0) and (b <> 0);
create or replace macro snowflake.boolor(a, b) as (a <> 0) or (b <> 0);
create or replace macro snowflake.boolxor(a, b) as (a <> 0) <> (b <> 0);
create or replace macro snowflake.boolnot(a) as not (a <> 0);

-- Text --------------------------------------------------------------------------------------------------------

-- A length below zero counts as zero.
create or replace macro snowflake.left(s, n) as
  case when n < 0 then case when s is null then null else '' end else left(cast(s as varchar), cast(n as bigint)) end;

create or replace macro snowflake.right(s, n) as
  case when n < 0 then case when s is null then null else '' end else right(cast(s as varchar), cast(n as bigint)) end;

-- A start of 0 counts as 1, one below zero counts from the end; a length below zero gives ''.
create or replace macro snowflake.substr(s, start) as
  substring(cast(s as varchar), case when start = 0 then 1 else cast(start as bigint) end),
(s, start, size) as
  case
    when size < 0 then case when s is null or start is null then null else '' end
    else substring(cast(s as varchar), case when start = 0 then 1 else cast(start as bigint) end, cast(size as bigint))
  end;

-- Pads with blanks unless told; an empty padding pads nothing.
create or replace macro snowflake.lpad(s, n) as
  case when n <= 0 then case when s is null then null else '' end else lpad(cast(s as varchar), cast(n as integer), ' ') end,
(s, n, padding) as
  case
    when n <= 0 then case when s is null or padding is null then null else '' end
    when padding = '' then left(cast(s as varchar), cast(n as bigint))
    else lpad(cast(s as varchar), cast(n as integer), padding)
  end;

create or replace macro snowflake.rpad(s, n) as
  case when n <= 0 then case when s is null then null else '' end else rpad(cast(s as varchar), cast(n as integer), ' ') end,
(s, n, padding) as
  case
    when n <= 0 then case when s is null or padding is null then null else '' end
    when padding = '' then left(cast(s as varchar), cast(n as bigint))
    else rpad(cast(s as varchar), cast(n as integer), padding)
  end;

create or replace macro snowflake.repeat(s, n) as repeat(cast(s as varchar), cast(n as bigint));
create or replace macro snowflake.space(n) as repeat(' ', cast(n as bigint));
create or replace macro snowflake.replace(s, part) as replace(s, part, ''),
(s, part, other) as replace(s, part, other);
create or replace macro snowflake.ascii(s) as ascii(s);
create or replace macro snowflake.insert(s, start, size, other) as
  left(s, cast(start as bigint) - 1) || other || substring(s, cast(start + size as bigint));

-- 1 for the first character; 0 where the part is not found at or after `start`.
create or replace macro snowflake.charindex(part, s) as instr(s, part),
(part, s, start) as
  case
    when instr(substring(s, cast(start as bigint)), part) = 0 then 0
    else instr(substring(s, cast(start as bigint)), part) + cast(start as bigint) - 1
  end;

-- Part 0 is part 1; parts below zero count from the end. Without a separator the text is one part.
create or replace macro snowflake.split_part(s, separator, part) as
  case
    when s is null or separator is null or part is null then null
    when separator = '' then case when part in (-1, 0, 1) then s else '' end
    when part = 0 then split_part(s, separator, 1)
    else split_part(s, separator, cast(part as bigint))
  end;

create or replace macro snowflake.split(s, separator) as to_json(string_split(s, separator));

-- Tokens between any of the separating characters; an empty token does not count.
create or replace macro snowflake.tokens_of(s, separators) as
  list_filter(
    regexp_split_to_array(s, '[' || regexp_replace(separators, '([\]\[\\^-])', '\\\1', 'g') || ']'),
    lambda _token: _token <> ''
  );

create or replace macro snowflake.strtok(s) as snowflake.tokens_of(s, ' ')[1],
(s, separators) as
  case
    when separators = '' then case when s <> '' then s end
    else snowflake.tokens_of(s, separators)[1]
  end,
(s, separators, part) as
  case
    when separators = '' then case when part = 1 and s <> '' then s end
    else snowflake.tokens_of(s, separators)[cast(part as bigint)]
  end;

create or replace macro snowflake.strtok_to_array(s) as to_json(snowflake.tokens_of(s, ' ')),
(s, separators) as to_json(snowflake.tokens_of(s, separators));

-- Every word begins with a capital; words end at white space and at these characters, or at those given.
create or replace macro snowflake.capitals(words, separators) as
  array_to_string(list_transform(words, lambda _word: case when contains(separators, _word) then _word else upper(_word[1]) || lower(_word[2:]) end), '');

create or replace macro snowflake.initcap(s) as
  case
    when s is null then null
    else snowflake.capitals(regexp_extract_all(s, '[\s!?@"^#$&~_,.:;+\-*%/|\\\[\](){}<>]|[^\s!?@"^#$&~_,.:;+\-*%/|\\\[\](){}<>]+'), '')
  end,
(s, separators) as
  case
    when s is null or separators is null then null
    when separators = '' then upper(s[1]) || lower(s[2:])
    else snowflake.capitals(
      regexp_extract_all(s, '[' || regexp_replace(separators, '([\]\[\\^-])', '\\\1', 'g') || ']|[^' || regexp_replace(separators, '([\]\[\\^-])', '\\\1', 'g') || ']+'),
      separators
    )
  end;

create or replace macro snowflake.editdistance(a, b) as levenshtein(a, b),
(a, b, most) as case when most is null then null else least(levenshtein(a, b), cast(most as bigint)) end;

-- 0 to 100, whatever the case of the letters.
create or replace macro snowflake.jarowinkler_similarity(a, b) as
  cast(floor(jaro_winkler_similarity(lower(a), lower(b)) * 100) as bigint);

create or replace macro snowflake.base64_encode(s) as to_base64(encode(s));
create or replace macro snowflake.base64_decode_string(s) as decode(from_base64(s));

-- Regular expressions. NULL where nothing matches, unlike DuckDB's '' .
create or replace macro snowflake.regexp_substr(s, pattern, occurrence, part) as
  regexp_extract_all(s, pattern, cast(part as integer))[cast(occurrence as bigint)];

create or replace macro snowflake.regexp_count(s, pattern) as
  case when pattern = '' then 0 else len(regexp_extract_all(s, pattern)) end;

create or replace macro snowflake.regexp_instr(s, pattern) as
  case
    when s is null or pattern is null then null
    when not regexp_matches(s, pattern) then 0
    else length(regexp_extract(s, '(?s)^(.*?)(?-s:' || pattern || ')', 1)) + 1
  end;

-- Dates and times ---------------------------------------------------------------------------------------------

-- Read without the daemon of time zones: the clock of the transaction in UTC.
create or replace macro snowflake.current_timestamp() as make_timestamp(epoch_us(now()));
create or replace macro snowflake.current_date() as cast(snowflake.current_timestamp() as date);
create or replace macro snowflake.current_time() as cast(snowflake.current_timestamp() as time);

-- Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size as Snowflake does.
create or replace macro snowflake.timestamp_of_epoch(n) as
  make_timestamp(cast(
    case
      when abs(n) < 31536000000 then n * 1000000
      when abs(n) < 31536000000000 then n * 1000
      when abs(n) < 31536000000000000 then n
      else n / 1000
    end as bigint));

create or replace macro snowflake.to_timestamp_of_scale(n, scale) as
  make_timestamp(cast(cast(n as decimal(38, 6)) * pow(10, 6 - scale) as bigint));

-- A text's time zone: white space and all, only after a time of day.
create or replace macro snowflake.without_zone(s) as
  regexp_replace(s, '(:\d\d(?:\.\d+)?)\s*(?:[zZ]|[+-]\d\d(?::?\d\d)?)$', '\1');

create or replace macro snowflake.zone_minutes(s) as
  case
    when regexp_matches(s, ':\d\d(?:\.\d+)?\s*[+-]\d\d(?::?\d\d)?$')
      then (cast(coalesce(nullif(regexp_extract(s, '[+-](\d\d):?(\d\d)?$', 1), ''), '0') as integer) * 60
        + cast(coalesce(nullif(regexp_extract(s, '[+-](\d\d):?(\d\d)?$', 2), ''), '0') as integer))
        * case when regexp_matches(s, '-\d\d(?::?\d\d)?$') then -1 else 1 end
    else 0
  end;

-- The time of day as written; a zone in the text is dropped. Numbers are seconds since 1970.
create or replace macro snowflake.to_timestamp_ntz(x) as
  case
    when typeof(x) in ('TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS', 'DATE') then cast(x as timestamp)
    when typeof(x) = 'TIMESTAMP WITH TIME ZONE' then make_timestamp(epoch_us(cast(x as timestamptz)))
    when typeof(x) in ('VARCHAR', 'JSON', '"NULL"') then
      case
        when regexp_full_match(snowflake.to_varchar(x), '-?\d+') then snowflake.timestamp_of_epoch(cast(snowflake.to_varchar(x) as hugeint))
        else cast(snowflake.without_zone(snowflake.to_varchar(x)) as timestamp)
      end
    else make_timestamp(cast(cast(x as decimal(38, 6)) * 1000000 as bigint))
  end;

create or replace macro snowflake.try_to_timestamp_ntz(x) as
  case
    when typeof(x) in ('VARCHAR', 'JSON', '"NULL"') then
      case
        when regexp_full_match(snowflake.to_varchar(x), '-?\d{1,19}') then snowflake.timestamp_of_epoch(try_cast(snowflake.to_varchar(x) as hugeint))
        else try_cast(snowflake.without_zone(snowflake.to_varchar(x)) as timestamp)
      end
    else snowflake.to_timestamp_ntz(x)
  end;

-- The same moment in UTC; a text without a zone is in UTC.
create or replace macro snowflake.to_timestamp_tz(x) as
  case
    when typeof(x) in ('VARCHAR', 'JSON', '"NULL"')
      then snowflake.to_timestamp_ntz(x) - to_minutes(snowflake.zone_minutes(snowflake.to_varchar(x)))
    else snowflake.to_timestamp_ntz(x)
  end;

create or replace macro snowflake.try_to_timestamp_tz(x) as
  case
    when typeof(x) in ('VARCHAR', 'JSON', '"NULL"')
      then snowflake.try_to_timestamp_ntz(x) - to_minutes(snowflake.zone_minutes(snowflake.to_varchar(x)))
    else snowflake.to_timestamp_ntz(x)
  end;

create or replace macro snowflake.to_date(x) as
  case
    when typeof(x) in ('DATE', 'TIMESTAMP') then cast(x as date)
    else cast(snowflake.to_timestamp_ntz(x) as date)
  end;

create or replace macro snowflake.try_to_date(x) as
  case
    when typeof(x) in ('DATE', 'TIMESTAMP') then cast(x as date)
    else cast(snowflake.try_to_timestamp_ntz(x) as date)
  end;

create or replace macro snowflake.try_to_time(x) as
  try_cast(snowflake.to_varchar(x) as time);

-- Counts are rounded to whole ones. Whole days keep the type, so a DATE stays one; shorter parts give a TIMESTAMP.
create or replace macro snowflake.dateadd_year(n, x) as cast_to_type(cast(x as timestamp) + to_years(cast(n as integer)), x);
create or replace macro snowflake.dateadd_quarter(n, x) as cast_to_type(cast(x as timestamp) + to_months(3 * cast(n as integer)), x);
create or replace macro snowflake.dateadd_month(n, x) as cast_to_type(cast(x as timestamp) + to_months(cast(n as integer)), x);
create or replace macro snowflake.dateadd_week(n, x) as cast_to_type(cast(x as timestamp) + to_days(7 * cast(n as integer)), x);
create or replace macro snowflake.dateadd_day(n, x) as cast_to_type(cast(x as timestamp) + to_days(cast(n as integer)), x);
create or replace macro snowflake.dateadd_hour(n, x) as cast(x as timestamp) + to_hours(cast(n as bigint));
create or replace macro snowflake.dateadd_minute(n, x) as cast(x as timestamp) + to_minutes(cast(n as bigint));
create or replace macro snowflake.dateadd_second(n, x) as cast(x as timestamp) + to_microseconds(1000000 * cast(n as bigint));
create or replace macro snowflake.dateadd_millisecond(n, x) as cast(x as timestamp) + to_microseconds(1000 * cast(n as bigint));
create or replace macro snowflake.dateadd_microsecond(n, x) as cast(x as timestamp) + to_microseconds(cast(n as bigint));

-- How many beginnings of the part lie between the two; weeks begin on Monday.
create or replace macro snowflake.datediff(part, a, b) as
  date_diff(part, cast(a as timestamp), cast(b as timestamp));

create or replace macro snowflake.datediff_week(a, b) as
  date_diff('day', cast(date_trunc('week', cast(a as timestamp)) as timestamp), cast(date_trunc('week', cast(b as timestamp)) as timestamp)) // 7;

create or replace macro snowflake.date_trunc(part, x) as cast_to_type(date_trunc(part, cast(x as timestamp)), x);

create or replace macro snowflake.year(x) as year(cast(x as timestamp));
create or replace macro snowflake.quarter(x) as quarter(cast(x as timestamp));
create or replace macro snowflake.month(x) as month(cast(x as timestamp));
create or replace macro snowflake.week(x) as week(cast(x as timestamp));
create or replace macro snowflake.day(x) as day(cast(x as timestamp));
create or replace macro snowflake.hour(x) as case when typeof(x) = 'TIME' then hour(cast(x as time)) else hour(cast(x as timestamp)) end;
create or replace macro snowflake.minute(x) as case when typeof(x) = 'TIME' then minute(cast(x as time)) else minute(cast(x as timestamp)) end;
create or replace macro snowflake.second(x) as case when typeof(x) = 'TIME' then second(cast(x as time)) else second(cast(x as timestamp)) end;
create or replace macro snowflake.millisecond(x) as cast(microsecond(cast(x as timestamp)) % 1000000 // 1000 as bigint);
create or replace macro snowflake.microsecond(x) as cast(microsecond(cast(x as timestamp)) % 1000000 as bigint);
create or replace macro snowflake.nanosecond(x) as cast(microsecond(cast(x as timestamp)) % 1000000 * 1000 as bigint);
-- Sunday is 0.
create or replace macro snowflake.dayofweek(x) as dayofweek(cast(x as timestamp));
-- Monday is 1, Sunday is 7.
create or replace macro snowflake.dayofweekiso(x) as isodow(cast(x as timestamp));
create or replace macro snowflake.dayofyear(x) as dayofyear(cast(x as timestamp));
create or replace macro snowflake.yearofweekiso(x) as date_part('isoyear', cast(x as timestamp));
create or replace macro snowflake.epoch_second(x) as epoch_us(cast(x as timestamp)) // 1000000;
create or replace macro snowflake.epoch_millisecond(x) as epoch_us(cast(x as timestamp)) // 1000;
create or replace macro snowflake.epoch_microsecond(x) as epoch_us(cast(x as timestamp));
-- Three letters: Mon, Jan.
create or replace macro snowflake.dayname(x) as strftime(cast(x as timestamp), '%a');
create or replace macro snowflake.monthname(x) as strftime(cast(x as timestamp), '%b');

create or replace macro snowflake.last_day_month(x) as last_day(cast(x as date));
create or replace macro snowflake.last_day_quarter(x) as cast(date_trunc('quarter', cast(x as timestamp)) + to_months(3) - to_days(1) as date);
create or replace macro snowflake.last_day_year(x) as cast(date_trunc('year', cast(x as timestamp)) + to_years(1) - to_days(1) as date);
-- Sunday ends a week.
create or replace macro snowflake.last_day_week(x) as cast(date_trunc('week', cast(x as timestamp)) + to_days(6) as date);

-- The last day of a month goes to the last day of the other.
create or replace macro snowflake.add_months(x, n) as
  case
    when cast(x as date) = last_day(cast(x as date))
      then cast_to_type(cast(last_day(cast(cast(x as date) + to_months(cast(n as integer)) as date)) as timestamp) + (cast(x as timestamp) - cast(cast(x as date) as timestamp)), x)
    else cast_to_type(cast(x as timestamp) + to_months(cast(n as integer)), x)
  end;

-- Whole months where the days are the same or both the last; else parts of a month of 31 days.
create or replace macro snowflake.months_between(a, b) as
  case
    when day(cast(a as timestamp)) = day(cast(b as timestamp))
      or (cast(a as date) = last_day(cast(a as date)) and cast(b as date) = last_day(cast(b as date)))
      then (year(cast(a as timestamp)) - year(cast(b as timestamp))) * 12 + month(cast(a as timestamp)) - month(cast(b as timestamp))
    else round((year(cast(a as timestamp)) - year(cast(b as timestamp))) * 12 + month(cast(a as timestamp)) - month(cast(b as timestamp))
      + (day(cast(a as timestamp)) - day(cast(b as timestamp))
        + (epoch_us(cast(a as timestamp)) % 86400000000 - epoch_us(cast(b as timestamp)) % 86400000000) / 86400000000.0) / 31.0, 6)
  end;

create or replace macro snowflake.weekday_number(name) as
  case lower(left(trim(name), 2))
    when 'mo' then 1 when 'tu' then 2 when 'we' then 3 when 'th' then 4 when 'fr' then 5 when 'sa' then 6 when 'su' then 7
    else error('''' || name || ''' is no day of the week')
  end;

-- The first such day after the date; never the date itself.
create or replace macro snowflake.next_day(x, name) as
  cast(x as date) + cast((snowflake.weekday_number(name) - isodow(cast(x as date)) + 6) % 7 + 1 as integer);

create or replace macro snowflake.previous_day(x, name) as
  cast(x as date) - cast((isodow(cast(x as date)) - snowflake.weekday_number(name) + 6) % 7 + 1 as integer);

-- Months and days outside their range run over into the next or last year or month.
create or replace macro snowflake.date_from_parts(y, m, d) as
  cast(make_date(cast(y as integer), 1, 1) + to_months(cast(m as integer) - 1) + to_days(cast(d as integer) - 1) as date);

create or replace macro snowflake.timestamp_from_parts(y, m, d, h, mi, s) as
  cast(snowflake.date_from_parts(y, m, d) as timestamp) + to_hours(cast(h as bigint)) + to_minutes(cast(mi as bigint)) + to_seconds(cast(s as bigint));

create or replace macro snowflake.time_from_parts(h, mi, s) as
  make_time(cast(h as bigint), cast(mi as bigint), cast(s as double));

-- Slices begin at 1970-01-01 00:00.
create or replace macro snowflake.time_slice(x, width) as
  cast_to_type(time_bucket(cast(width as interval), cast(x as timestamp), timestamp '1970-01-01'), x);

-- VARIANT, OBJECT, ARRAY --------------------------------------------------------------------------------------

-- An empty text is NULL; other text that is no JSON is an error.
create or replace macro snowflake.parse_json(s) as
  case when typeof(s) = 'JSON' then to_json(s) when trim(cast(s as varchar)) = '' then null else json(cast(s as varchar)) end;

create or replace macro snowflake.try_parse_json(s) as
  case
    when typeof(s) = 'JSON' then to_json(s)
    when json_valid(cast(s as varchar)) then json(cast(s as varchar))
  end;

create or replace macro snowflake.to_json(x) as cast(json(to_json(x)) as varchar);
create or replace macro snowflake.to_variant(x) as case when typeof(x) = 'JSON' then to_json(x) else to_json(x) end;
create or replace macro snowflake.to_object(x) as
  case when json_type(to_json(x)) in ('OBJECT', 'NULL') then to_json(x) else error('the value is no OBJECT') end;
create or replace macro snowflake.to_array(x) as
  case when json_type(to_json(x)) in ('ARRAY', 'NULL') then to_json(x) when x is not null then to_json([to_json(x)]) end;

create or replace macro snowflake.typeof(x) as
  case json_type(to_json(x))
    when 'NULL' then 'NULL_VALUE'
    when 'BIGINT' then 'INTEGER'
    when 'UBIGINT' then 'INTEGER'
    when 'DOUBLE' then case when regexp_matches(cast(x as varchar), '[eE]') then 'DOUBLE' else 'DECIMAL' end
    else json_type(to_json(x))
  end;

create or replace macro snowflake.is_null_value(x) as json_type(to_json(x)) = 'NULL';
create or replace macro snowflake.is_array(x) as json_type(to_json(x)) = 'ARRAY';
create or replace macro snowflake.is_object(x) as json_type(to_json(x)) = 'OBJECT';
create or replace macro snowflake.is_boolean(x) as json_type(to_json(x)) = 'BOOLEAN';
create or replace macro snowflake.is_varchar(x) as json_type(to_json(x)) = 'VARCHAR';
create or replace macro snowflake.is_integer(x) as json_type(to_json(x)) in ('BIGINT', 'UBIGINT');
-- JSON's null becomes NULL.
create or replace macro snowflake.strip_null_value(x) as case when json_type(to_json(x)) <> 'NULL' then to_json(x) end;

-- A number asks for an element (from 0), a text for a key.
create or replace macro snowflake.get(x, key) as
  case
    when typeof(key) = 'VARCHAR' then json_extract(x, '$."' || replace(cast(key as varchar), '"', '\"') || '"')
    when try_cast(key as bigint) >= 0 then json_extract(x, '$[' || try_cast(key as bigint) || ']')
  end;

create or replace macro snowflake.elements(x) as cast(to_json(x) as json[]);

-- NULL for what is no array.
create or replace macro snowflake.array_size(x) as
  case when json_type(to_json(x)) = 'ARRAY' then cast(json_array_length(to_json(x)) as bigint) end;
create or replace macro snowflake.array_contains(x, a) as
  case when a is not null and x is not null then list_contains(snowflake.elements(a), to_json(x)) end;
-- From 0; NULL where it is not found.
create or replace macro snowflake.array_position(x, a) as
  nullif(list_position(snowflake.elements(a), to_json(x)), 0) - 1;
create or replace macro snowflake.array_append(a, x) as
  case when a is not null then to_json(list_append(snowflake.elements(a), coalesce(to_json(x), 'null'::json))) end;
create or replace macro snowflake.array_prepend(a, x) as
  case when a is not null then to_json(list_prepend(coalesce(to_json(x), 'null'::json), snowflake.elements(a))) end;
create or replace macro snowflake.array_cat(a, b) as
  case when a is not null and b is not null then to_json(list_concat(snowflake.elements(a), snowflake.elements(b))) end;
create or replace macro snowflake.array_compact(a) as
  to_json(list_filter(snowflake.elements(a), lambda _element: _element is not null and json_type(_element) <> 'NULL'));
-- In the order of the first occurrence.
create or replace macro snowflake.array_distinct(a) as
  to_json(list_filter(snowflake.elements(a), lambda _element, _index: list_position(snowflake.elements(a), _element) = _index));
create or replace macro snowflake.array_flatten(a) as
  to_json(flatten(list_transform(snowflake.elements(a), lambda _inner: cast(_inner as json[]))));
-- From `start` (0 is the first) up to `stop`, which is left out; numbers below zero count from the end.
create or replace macro snowflake.array_slice(a, start, stop) as
  to_json(snowflake.elements(a)[
    (case when start < 0 then greatest(cast(json_array_length(to_json(a)) as bigint) + start, 0) else start end) + 1 :
    (case when stop < 0 then cast(json_array_length(to_json(a)) as bigint) + stop else stop end)]);
-- Elements that are null give an empty text.
create or replace macro snowflake.array_to_string(a, separator) as
  array_to_string(list_transform(snowflake.elements(a), lambda _element: coalesce(json_extract_string(_element, '$'), '')), separator);
create or replace macro snowflake.arrays_overlap(a, b) as
  list_has_any(snowflake.elements(a), snowflake.elements(b));

create or replace macro snowflake.object_keys(x) as to_json(list_sort(json_keys(x)));

-- Two lists of equal length; pairs with a NULL key or value are left out.
create or replace macro snowflake.object_construct(keys, vals) as
  to_json(map_from_entries(list_filter(list_zip(keys, vals), lambda _entry: _entry[1] is not null and _entry[2] is not null)));

-- Pairs with a NULL value have JSON's null.
create or replace macro snowflake.object_construct_keep_null(keys, vals) as
  to_json(map_from_entries(list_filter(list_zip(keys, list_transform(vals, lambda _value: coalesce(_value, 'null'::json))), lambda _entry: _entry[1] is not null)));

create or replace macro snowflake.object_of(x, keys) as
  to_json(map_from_entries(list_transform(keys, lambda _key: {'k': _key, 'v': json_extract(x, '$."' || replace(_key, '"', '\"') || '"')})));

create or replace macro snowflake.object_delete(x, keys) as
  snowflake.object_of(to_json(x), list_filter(json_keys(x), lambda _name: not list_contains(keys, _name)));

create or replace macro snowflake.object_pick(x, keys) as
  snowflake.object_of(to_json(x), list_filter(json_keys(x), lambda _name: list_contains(keys, _name)));

-- A key that exists is an error unless it may be replaced; a NULL value leaves the object as it is.
create or replace macro snowflake.object_insert(x, key, value) as
  case
    when list_contains(json_keys(x), key) then error('the OBJECT has the key ''' || key || ''' already')
    else snowflake.object_insert(x, key, value, true)
  end,
(x, key, value, replaces) as
  case
    when x is null or key is null then null
    when list_contains(json_keys(x), key) and not replaces then error('the OBJECT has the key ''' || key || ''' already')
    when value is null then snowflake.object_delete(x, [key])
    else to_json(map_from_entries(list_append(
      list_transform(list_filter(json_keys(x), lambda _name: _name <> key), lambda _kept: {'k': _kept, 'v': json_extract(x, '$."' || replace(_kept, '"', '\"') || '"')}),
      {'k': key, 'v': to_json(value)})))
  end;

-- Rows out of values ------------------------------------------------------------------------------------------

-- A row for each element or key. Without the column SEQ.
create or replace macro snowflake.flatten(input) as table
  select
    case when json_type(to_json(input)) = 'OBJECT' then _e.key end as key,
    regexp_replace(_e.fullkey, '^\$\.?', '') as path,
    case when json_type(to_json(input)) = 'ARRAY' then cast(_e.key as bigint) end as index,
    _e.value as value,
    to_json(input) as this
  from json_each(to_json(input)) as _e
  where json_type(to_json(input)) in ('ARRAY', 'OBJECT');

-- The same for one kind of value only: 'ARRAY' or 'OBJECT'.
create or replace macro snowflake.flatten_of(input, mode) as table
  select
    case when json_type(to_json(input)) = 'OBJECT' then _e.key end as key,
    regexp_replace(_e.fullkey, '^\$\.?', '') as path,
    case when json_type(to_json(input)) = 'ARRAY' then cast(_e.key as bigint) end as index,
    _e.value as value,
    to_json(input) as this
  from json_each(to_json(input)) as _e
  where json_type(to_json(input)) = mode;

-- One row of NULLs where there would be none.
create or replace macro snowflake.flatten_outer(input) as table
  select _f.key as key, _f.path as path, _f.index as index, _f.value as value, _f.this as this
  from (select 1 as one) as _one
  left join (
    select
      case when json_type(to_json(input)) = 'OBJECT' then _e.key end as key,
      regexp_replace(_e.fullkey, '^\$\.?', '') as path,
      case when json_type(to_json(input)) = 'ARRAY' then cast(_e.key as bigint) end as index,
      _e.value as value,
      to_json(input) as this
    from json_each(to_json(input)) as _e
    where json_type(to_json(input)) in ('ARRAY', 'OBJECT')
  ) as _f on true;

create or replace macro snowflake.flatten_outer_of(input, mode) as table
  select _f.key as key, _f.path as path, _f.index as index, _f.value as value, _f.this as this
  from (select 1 as one) as _one
  left join (
    select
      case when json_type(to_json(input)) = 'OBJECT' then _e.key end as key,
      regexp_replace(_e.fullkey, '^\$\.?', '') as path,
      case when json_type(to_json(input)) = 'ARRAY' then cast(_e.key as bigint) end as index,
      _e.value as value,
      to_json(input) as this
    from json_each(to_json(input)) as _e
    where json_type(to_json(input)) = mode
  ) as _f on true;

-- Elements and keys on every level.
create or replace macro snowflake.flatten_recursive(input) as table
  select
    case when _e.fullkey not like '%]' then _e.key end as key,
    regexp_replace(_e.fullkey, '^\$\.?', '') as path,
    case when _e.fullkey like '%]' then cast(_e.key as bigint) end as index,
    _e.value as value,
    json_extract(to_json(input), _e.path) as this
  from json_tree(to_json(input)) as _e
  where _e.fullkey <> '$';

create or replace macro snowflake.split_to_table(s, separator) as table
  select _position as index, string_split(s, separator)[_position] as value
  from (select unnest(range(1, len(string_split(s, separator)) + 1)) as _position);
