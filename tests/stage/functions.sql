-- Functions of Snowflake that neither fakesnow nor DuckDB has: what strata's sample project and tests call.
create or replace temp macro try_to_timestamp_ntz(moment) as try_cast(moment as timestamp);
create or replace temp macro count_if(condition) as count(*) filter (where condition);
create or replace temp macro to_timestamp_ntz(moment) as cast(moment as timestamp);
