//! Statements and their rows, over five logs in memory.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::query::testing::{Bed, index};

/// A Logstore with five logs.
pub(super) fn bed() -> Bed {
    let logs = [
        json!({"i": "1", "s": "GET", "t": "a/b/c", "n": "10", "x": "0.5", "j": "{\"a\":\"p\",\"b\":{\"c\":7},\"l\":[1,\"z\"]}"}),
        json!({"i": "2", "s": "POST", "t": "Ünï", "n": "20", "x": "2", "j": "{\"a\":\"q\",\"b\":{\"c\":9}}"}),
        json!({"i": "3", "s": "GET", "t": "", "n": "30", "x": "1e3"}),
        json!({"i": "4", "s": "PUT", "t": "x=1&y=2", "n": "no", "x": "no"}),
        json!({"i": "5", "s": "GET", "n": "9007199254740993", "x": "-1.25"}),
    ];
    Bed::new(index(&["i", "s", "t", "n", "x", "j", "__tag__:host"]), &logs)
}

fn check(statements: &[&str], expected: Expect) {
    let mut bed = bed();
    let shown: Vec<String> = statements.iter().map(|sql| format!("> {sql}\n{}", bed.rows(sql))).collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn rows_columns_and_names() {
    check(
        &[
            "select i, I as \"Two\", n+1, x*2 as d where n < 25",
            "select * limit 1",
            "select log.i, store.s from store as store, log where store.i = log.i and n = 20",
            "select store.i from store limit 1",
            "select \"j.a\" a, \"j.b.c\", bc where \"j.a\" is not null",
            "select \"__tag__:host\", __topic__, __source__, __time__ limit 1",
            "select distinct s order by s desc",
            "select i limit 2, 2",
            "select i order by i desc limit 2 offset 1",
            "select 1 limit 1;",
        ],
        expect![[r#"
            > select i, I as "Two", n+1, x*2 as d where n < 25
            i=1 Two=1 _col2=11 d=1.0
            i=2 Two=2 _col2=21 d=4.0
            > select * limit 1
            __tag__:host=web 1 i=1 j={"a":"p","b":{"c":7},"l":[1,"z"]} j.a=p j.b.c=7 n=10 s=GET t=a/b/c x=0.5 __topic__=top __source__=10.0.0.1 __time__=1700002800
            > select log.i, store.s from store as store, log where store.i = log.i and n = 20
            ErrorType:SemanticError.ErrorPosition,line:1,column:74.ErrorMessage:line 1:74: Column 'n' is ambiguous
            > select store.i from store limit 1
            i=1
            > select "j.a" a, "j.b.c", bc where "j.a" is not null
            a=p j.b.c=7 bc=7
            a=q j.b.c=9 bc=9
            > select "__tag__:host", __topic__, __source__, __time__ limit 1
            __tag__:host=web 1 __topic__=top __source__=10.0.0.1 __time__=1700002800
            > select distinct s order by s desc
            s=PUT
            s=POST
            s=GET
            > select i limit 2, 2
            i=3
            i=4
            > select i order by i desc limit 2 offset 1
            i=4
            i=3
            > select 1 limit 1;
            _col0=1"#]],
    );
}

#[test]
fn groups_and_aggregates() {
    check(
        &[
            "select s, count(*) c, count(n) cn, sum(n) from log where n < 100 or n is null group by s order by c desc, 1",
            "select count(*), count(1), sum(x) s, avg(x) a, min(t), max(i), min(x) where i < '0'",
            "select avg(n) a, min(x), max(x), approx_distinct(s), count(distinct s) d, count_if(n > 15) where n < 100",
            "select upper(s) s, count(*) c group by s having c > 1",
            "select lower(s) as k, count(*) as c group by k having lower(s) <> 'put' order by count(*) desc",
            "select n % 20 m, count(*) group by n % 20 order by m",
            "select n % 20 + 1 m group by n % 20 order by 1",
            "select __time__ - __time__ % 60 as t, count(*) c group by t",
            "select max_by(i, x) a, min_by(i, x) b, arbitrary(s) from log where s = 'GET'",
            "select approx_percentile(x, 0.5) p, approx_percentile(n, 1) q, stddev(x) from log where n < 25",
            "select sum(n) filter (where s = 'GET' and n < 100) as g, array_agg(i) a",
            "select case s when 'GET' then 1 when 'PUT' then 2.5 end k, count(*) group by 1 order by 1",
            "select s, sum(c) over (order by s) as run from (select s, count(*) c from log group by s) order by s",
            "select i, row_number() over (partition by s order by i desc) r, lag(i) over (order by i) l order by i",
        ],
        expect![[r#"
            > select s, count(*) c, count(n) cn, sum(n) from log where n < 100 or n is null group by s order by c desc, 1
            s=GET c=2 cn=2 _col3=40
            s=POST c=1 cn=1 _col3=20
            s=PUT c=1 cn=0 _col3=null
            > select count(*), count(1), sum(x) s, avg(x) a, min(t), max(i), min(x) where i < '0'
            _col0=0 _col1=0 s=null a=null _col4=null _col5=null _col6=null
            > select avg(n) a, min(x), max(x), approx_distinct(s), count(distinct s) d, count_if(n > 15) where n < 100
            a=20.0 _col1=0.5 _col2=1000.0 _col3=2 d=2 _col5=2
            > select upper(s) s, count(*) c group by s having c > 1
            s=GET c=3
            > select lower(s) as k, count(*) as c group by k having lower(s) <> 'put' order by count(*) desc
            k=get c=3
            k=post c=1
            > select n % 20 m, count(*) group by n % 20 order by m
            m=0 _col1=1
            m=10 _col1=2
            m=13 _col1=1
            m=null _col1=1
            > select n % 20 + 1 m group by n % 20 order by 1
            m=1
            m=11
            m=14
            m=null
            > select __time__ - __time__ % 60 as t, count(*) c group by t
            t=1700002800 c=5
            > select max_by(i, x) a, min_by(i, x) b, arbitrary(s) from log where s = 'GET'
            a=3 b=5 _col2=GET
            > select approx_percentile(x, 0.5) p, approx_percentile(n, 1) q, stddev(x) from log where n < 25
            p=0.5 q=20 _col2=1.0606601717798212
            > select sum(n) filter (where s = 'GET' and n < 100) as g, array_agg(i) a
            g=40 a=["1","2","3","4","5"]
            > select case s when 'GET' then 1 when 'PUT' then 2.5 end k, count(*) group by 1 order by 1
            k=1.0 _col1=3
            k=2.5 _col1=1
            k=null _col1=1
            > select s, sum(c) over (order by s) as run from (select s, count(*) c from log group by s) order by s
            s=GET run=3
            s=POST run=4
            s=PUT run=5
            > select i, row_number() over (partition by s order by i desc) r, lag(i) over (order by i) l order by i
            i=1 r=3 l=null
            i=2 r=1 l=1
            i=3 r=2 l=2
            i=4 r=1 l=3
            i=5 r=1 l=4"#]],
    );
}

#[test]
fn queries_in_queries() {
    check(
        &[
            "with a as (select s, count(*) c from log group by s), b as (select max(c) m from a) select s from a, b where c = m",
            "select sum(c) from (select count(*) c from log group by s) as q",
            "select i from log where n = (select max(n) from log)",
            "select i from log where s in (select s from log where n = 20)",
            "select i from log l where exists (select 1 from log m where m.s = l.s and m.i <> l.i) order by i",
            "select a.i, b.i other from log a join log b on a.s = b.s and a.i < b.i order by 1, 2",
            "select i, b.n from log a left join (select i, n from log where n = 20) b using (i) order by i",
            "select s k from log union select t from log order by k limit 3",
            "select t.a from (select i, s from log) as t(a, b) order by a limit 1",
        ],
        expect![[r#"
            > with a as (select s, count(*) c from log group by s), b as (select max(c) m from a) select s from a, b where c = m
            s=GET
            > select sum(c) from (select count(*) c from log group by s) as q
            _col0=5
            > select i from log where n = (select max(n) from log)
            i=5
            > select i from log where s in (select s from log where n = 20)
            i=2
            > select i from log l where exists (select 1 from log m where m.s = l.s and m.i <> l.i) order by i
            i=1
            i=3
            i=5
            > select a.i, b.i other from log a join log b on a.s = b.s and a.i < b.i order by 1, 2
            i=1 other=3
            i=1 other=5
            i=3 other=5
            > select i, b.n from log a left join (select i, n from log where n = 20) b using (i) order by i
            i=1 n=null
            i=2 n=20
            i=3 n=null
            i=4 n=null
            i=5 n=null
            > select s k from log union select t from log order by k limit 3
            k=
            k=GET
            k=POST
            > select t.a from (select i, s from log) as t(a, b) order by a limit 1
            a=1"#]],
    );
}

#[test]
fn texts_numbers_and_conversions() {
    check(
        &[
            "select length(t) l, lower(t) lo, upper(t) up, reverse(t) r, substr(t, 2) su, strpos(t, 'ï') po where i = '2'",
            "select split_part(t, '/', 2) p, split(t, '/') a, split(t, '/')[3] e, element_at(split(t, '/'), 9) n, cardinality(split(t, '/')) where i = '1'",
            "select concat(s, '-', i) c, s || i || '!', replace(t, '/', '.') r, trim('  a ') tr, lpad(i, 3, '0'), rpad(i, 3, 'xy') where i = '1'",
            "select regexp_like(t, '^x=\\d') a, regexp_extract(t, '(\\w)=(\\d)', 2) b, regexp_extract_all(t, '\\w=\\d') c, regexp_replace(t, '(\\w)=', '$1:') d, regexp_extract(t, 'q') e where i = '4'",
            "select abs(-3) a, round(2.5) b, round(-1.256, 2) c, floor(1.9) d, ceil(1.1) e, ceiling(2) f, power(2, 10) g, sqrt(2) h, mod(7, 3) i, 7.5 % 2 j, 7 / 2 k, 7 / 2.0 l, sign(-2) m limit 1",
            "select cast(n as varchar) a, cast(x as varchar) b, cast('12' as bigint) c, cast(2.5 as bigint) d, try_cast(s as bigint) e, cast(i as double) f, cast(true as varchar) g where i = '1'",
            "select try(cast(s as bigint)) a, try(cast(n as varchar)) b where i = '1'",
            "select json_extract_scalar(j, '$.b.c') a, json_extract(j, '$.l') b, json_extract_scalar(j, '$.l[1]') c, json_extract_scalar(j, '$[\"a\"]') d, json_extract_scalar(j, '$.zz') e, json_array_length(json_extract(j, '$.l')) f where i = '1'",
            "select coalesce(n, -1) a, coalesce(t, 'none') b, if(n > 5, 'big', 'small') c, nullif(s, 'PUT') d, greatest(1, 2.5) e, least(3, 2) f where i > '3' order by i",
            "select n = 10 a, n is null b, not (n > 5) c, s like 'G%' d, s like 'g%' e, s in ('GET', 'x') f, n between 5 and 15 g, null h where i = '1'",
            "select 12345678.9 a, 1e7 * 10 b, 0.1 + 0.2 c, cast(9007199254740993 as double) d, array[1, 2] e limit 1",
            "select i where t = '' or t is null order by i",
            "select i where x > 1 and (s = 'POST' or s = 'GET') order by x desc",
        ],
        expect![[r#"
            > select length(t) l, lower(t) lo, upper(t) up, reverse(t) r, substr(t, 2) su, strpos(t, 'ï') po where i = '2'
            l=3 lo=ünï up=ÜNÏ r=ïnÜ su=nï po=3
            > select split_part(t, '/', 2) p, split(t, '/') a, split(t, '/')[3] e, element_at(split(t, '/'), 9) n, cardinality(split(t, '/')) where i = '1'
            p=b a=["a","b","c"] e=c n=null _col4=3
            > select concat(s, '-', i) c, s || i || '!', replace(t, '/', '.') r, trim('  a ') tr, lpad(i, 3, '0'), rpad(i, 3, 'xy') where i = '1'
            c=GET-1 _col1=GET1! r=a.b.c tr=a _col4=001 _col5=1xy
            > select regexp_like(t, '^x=\d') a, regexp_extract(t, '(\w)=(\d)', 2) b, regexp_extract_all(t, '\w=\d') c, regexp_replace(t, '(\w)=', '$1:') d, regexp_extract(t, 'q') e where i = '4'
            a=true b=1 c=["x=1","y=2"] d=x:1&y:2 e=null
            > select abs(-3) a, round(2.5) b, round(-1.256, 2) c, floor(1.9) d, ceil(1.1) e, ceiling(2) f, power(2, 10) g, sqrt(2) h, mod(7, 3) i, 7.5 % 2 j, 7 / 2 k, 7 / 2.0 l, sign(-2) m limit 1
            a=3 b=3.0 c=-1.26 d=1.0 e=2.0 f=2 g=1024.0 h=1.4142135623730951 i=1 j=1.5 k=3 l=3.5 m=-1
            > select cast(n as varchar) a, cast(x as varchar) b, cast('12' as bigint) c, cast(2.5 as bigint) d, try_cast(s as bigint) e, cast(i as double) f, cast(true as varchar) g where i = '1'
            a=10 b=0.5 c=12 d=3 e=null f=1.0 g=true
            > select try(cast(s as bigint)) a, try(cast(n as varchar)) b where i = '1'
            a=null b=10
            > select json_extract_scalar(j, '$.b.c') a, json_extract(j, '$.l') b, json_extract_scalar(j, '$.l[1]') c, json_extract_scalar(j, '$["a"]') d, json_extract_scalar(j, '$.zz') e, json_array_length(json_extract(j, '$.l')) f where i = '1'
            a=7 b=[1,"z"] c=z d=p e=null f=2
            > select coalesce(n, -1) a, coalesce(t, 'none') b, if(n > 5, 'big', 'small') c, nullif(s, 'PUT') d, greatest(1, 2.5) e, least(3, 2) f where i > '3' order by i
            a=-1 b=x=1&y=2 c=small d=null e=2.5 f=2
            a=9007199254740993 b=none c=big d=GET e=2.5 f=2
            > select n = 10 a, n is null b, not (n > 5) c, s like 'G%' d, s like 'g%' e, s in ('GET', 'x') f, n between 5 and 15 g, null h where i = '1'
            a=true b=false c=false d=true e=false f=true g=true h=null
            > select 12345678.9 a, 1e7 * 10 b, 0.1 + 0.2 c, cast(9007199254740993 as double) d, array[1, 2] e limit 1
            a=1.23456789E7 b=1.0E8 c=0.30000000000000004 d=9.007199254740992E15 e=[1,2]
            > select i where t = '' or t is null order by i
            i=3
            i=5
            > select i where x > 1 and (s = 'POST' or s = 'GET') order by x desc
            i=3
            i=2"#]],
    );
}

#[test]
fn times_are_those_of_the_session_zone() {
    check(
        &[
            "select from_unixtime(__time__) a, to_unixtime(from_unixtime(__time__)) b, now() c, current_timestamp d limit 1",
            "select date_format(__time__, '%Y-%m-%d %H:%i:%s %T %y %c %e %k %h %l %p %j %a %W %b %M %f %%') a limit 1",
            "select date_trunc('hour', __time__ + 1799) a, date_trunc('day', now()) b, date_trunc('week', now()) c, date_trunc('month', now()) d, date_trunc('quarter', now()) e, date_trunc('year', now()) f limit 1",
            "select date_parse('2023-11-15 07:00:01', '%Y-%m-%d %H:%i:%s') a, to_unixtime(date_parse('2023-11-15', '%Y-%m-%d')) b limit 1",
            "select date_add('day', -1, now()) a, date_diff('hour', date_add('day', -1, now()), now()) b, date_diff('day', timestamp '2023-11-01 00:00:00', now()) c, now() - interval '2' hour d limit 1",
            "select year(now()) a, month(now()) b, day(now()) c, hour(now()) d, minute(now()) e, second(now()) f, day_of_week(now()) g, extract(year from now()) h, week(now()) w limit 1",
            "select cast(now() as varchar) a, cast('2023-11-15 07:00:00' as timestamp) b, now() > timestamp '2023-11-15' c limit 1",
        ],
        expect![[r#"
            > select from_unixtime(__time__) a, to_unixtime(from_unixtime(__time__)) b, now() c, current_timestamp d limit 1
            a=2023-11-15 07:00:00.000 b=1.7000028E9 c=2023-11-15 07:30:00.000 Asia/Shanghai d=2023-11-15 07:30:00.000 Asia/Shanghai
            > select date_format(__time__, '%Y-%m-%d %H:%i:%s %T %y %c %e %k %h %l %p %j %a %W %b %M %f %%') a limit 1
            a=2023-11-15 07:00:00 07:00:00 23 11 15 7 07 7 AM 319 Wed Wednesday Nov November 000000 %
            > select date_trunc('hour', __time__ + 1799) a, date_trunc('day', now()) b, date_trunc('week', now()) c, date_trunc('month', now()) d, date_trunc('quarter', now()) e, date_trunc('year', now()) f limit 1
            a=2023-11-15 07:00:00.000 b=2023-11-15 00:00:00.000 Asia/Shanghai c=2023-11-13 00:00:00.000 Asia/Shanghai d=2023-11-01 00:00:00.000 Asia/Shanghai e=2023-10-01 00:00:00.000 Asia/Shanghai f=2023-01-01 00:00:00.000 Asia/Shanghai
            > select date_parse('2023-11-15 07:00:01', '%Y-%m-%d %H:%i:%s') a, to_unixtime(date_parse('2023-11-15', '%Y-%m-%d')) b limit 1
            a=2023-11-15 07:00:01.000 b=1.6999776E9
            > select date_add('day', -1, now()) a, date_diff('hour', date_add('day', -1, now()), now()) b, date_diff('day', timestamp '2023-11-01 00:00:00', now()) c, now() - interval '2' hour d limit 1
            a=2023-11-14 07:30:00.000 Asia/Shanghai b=24 c=14 d=2023-11-15 05:30:00.000 Asia/Shanghai
            > select year(now()) a, month(now()) b, day(now()) c, hour(now()) d, minute(now()) e, second(now()) f, day_of_week(now()) g, extract(year from now()) h, week(now()) w limit 1
            a=2023 b=11 c=15 d=7 e=30 f=0 g=3 h=2023 w=46
            > select cast(now() as varchar) a, cast('2023-11-15 07:00:00' as timestamp) b, now() > timestamp '2023-11-15' c limit 1
            a=2023-11-15 07:30:00.000 Asia/Shanghai b=2023-11-15 07:00:00.000 c=true"#]],
    );
}

#[test]
fn errors_say_what_and_where() {
    check(
        &[
            "select nofield",
            "select i, \"GET\" from log",
            "select i,\n  nofield from log",
            "select t.nofield from log t",
            "select s, n, count(*) group by s",
            "select count(*), i",
            "select s where count(*) > 1",
            "select sum(count(*))",
            "select nofunction(i)",
            "select promql_query('up') from metrics",
            "select length(n)",
            "select sum(s)",
            "select i where n like '1%'",
            "select i where n = '10'",
            "select i where n in (1, 'a')",
            "select i where n",
            "select coalesce(n, 'a')",
            "select case when n > 1 then 1 else 'a' end",
            "select s + 1",
            "select 1abc from log",
            "select __tag__:host",
            "select from log",
            "select i from (select i)",
            "select i from other",
            "select i limit 100001",
            "select i limit 999999, 100",
            "select i limit x",
            "select i order by 3",
            "select a.i from log a, log b where i = '1'",
            "select cast(s as bigint)",
            "select split(t, '/')[0] from log where i = '1'",
            "select regexp_like(t, '(') from log",
            "select 'open",
            "select row_number()",
            "select sum(n) from log where i = 'x' union select 'a' from log",
            "insert into log values (1)",
            "select i; select i",
            "select attach('x')",
            "select load_extension('x')",
            "select i from sqlite_master",
        ],
        expect![[r#"
            > select nofield
            ErrorType:ColumnNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:8: Column 'nofield' cannot be resolved;please add the column in the index attribute
            > select i, "GET" from log
            ErrorType:ColumnNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:11: Column 'GET' cannot be resolved; it seems GET is wrapper by ";if GET is a string ,not a key field, please use 'GET'
            > select i,
              nofield from log
            ErrorType:ColumnNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 2:3: Column 'nofield' cannot be resolved;please add the column in the index attribute
            > select t.nofield from log t
            ErrorType:ColumnNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:10: Column 't.nofield' cannot be resolved;please add the column in the index attribute
            > select s, n, count(*) group by s
            ErrorType:KeyNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:11: Column 'n' not in GROUP BY clause;please add the column in the index attribute
            > select count(*), i
            ErrorType:KeyNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:18: Column 'i' not in GROUP BY clause;please add the column in the index attribute
            > select s where count(*) > 1
            ErrorType:SemanticError.ErrorPosition,line:1,column:16.ErrorMessage:line 1:16: WHERE clause cannot contain aggregations or window functions: [count(*)]
            > select sum(count(*))
            ErrorType:SemanticError.ErrorPosition,line:1,column:12.ErrorMessage:line 1:12: Cannot nest aggregations inside aggregation 'sum': [count(*)]
            > select nofunction(i)
            ErrorType:FunctionNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:8: Function nofunction not registered
            > select promql_query('up') from metrics
            ErrorType:FunctionNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:32: Function promql_query not registered
            > select length(n)
            ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: Unexpected parameters (bigint) for function length. Expected: length(varchar(x)), length(varbinary)
            > select sum(s)
            ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: Unexpected parameters (varchar) for function sum. Expected: sum(bigint), sum(double)
            > select i where n like '1%'
            ErrorType:SemanticError.ErrorPosition,line:1,column:16.ErrorMessage:line 1:16: Left side of LIKE expression must evaluate to a varchar (actual: bigint)
            > select i where n = '10'
            ErrorType:SemanticError.ErrorPosition,line:1,column:16.ErrorMessage:line 1:16: '=' cannot be applied to bigint, varchar
            > select i where n in (1, 'a')
            ErrorType:SemanticError.ErrorPosition,line:1,column:16.ErrorMessage:line 1:16: IN value and list items must be the same type: bigint
            > select i where n
            ErrorType:SemanticError.ErrorPosition,line:1,column:16.ErrorMessage:line 1:16: WHERE clause must evaluate to a boolean (actual: bigint)
            > select coalesce(n, 'a')
            ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: All COALESCE operands must be the same type: bigint
            > select case when n > 1 then 1 else 'a' end
            ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: All CASE results must be the same type: bigint
            > select s + 1
            ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: '+' cannot be applied to varchar, bigint
            > select 1abc from log
            ErrorType:SyntaxError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: identifiers must not start with a digit; surround the identifier with double quotes
            > select __tag__:host
            ErrorType:SyntaxError.ErrorPosition,line:1,column:15.ErrorMessage:line 1:15: identifiers must not contain ':'; surround the identifier with double quotes
            > select from log
            ErrorType:SyntaxError.ErrorPosition,line:1,column:13.ErrorMessage:line 1:13: mismatched input 'from' expecting {an expression}
            > select i from (select i)
            you are using nested sql, please specify FROM LOGSTORE in the innermost sql
            > select i from other
            ErrorType:SemanticError.ErrorPosition,line:1,column:15.ErrorMessage:line 1:15: logstore other does not exist
            > select i limit 100001
            output rows execeed 100000 rows, please refine your sql
            > select i limit 999999, 100
            reading data with pagination only allow reading max 1000000
            > select i limit x
            ErrorType:SemanticError.ErrorPosition,line:1,column:16.ErrorMessage:line 1:16: LIMIT and OFFSET must be whole numbers, not x
            > select i order by 3
            ErrorType:SemanticError.ErrorPosition,line:1,column:19.ErrorMessage:line 1:19: ORDER BY position 3 is not in select list
            > select a.i from log a, log b where i = '1'
            ErrorType:SemanticError.ErrorPosition,line:1,column:36.ErrorMessage:line 1:36: Column 'i' is ambiguous
            > select cast(s as bigint)
            ErrorType:ExecutionError.ErrorMessage:Can not cast 'GET' to INT
            > select split(t, '/')[0] from log where i = '1'
            ErrorType:ExecutionError.ErrorMessage:SQL array indices start at 1
            > select regexp_like(t, '(') from log
            ErrorType:ExecutionError.ErrorMessage:the regular expression ( is not valid: unclosed group
            > select 'open
            ErrorType:SyntaxError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: Unterminated string literal
            > select row_number()
            ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: Window function row_number requires OVER clause
            > select sum(n) from log where i = 'x' union select 'a' from log
            ErrorType:SemanticError.ErrorPosition,line:1,column:1.ErrorMessage:line 1:1: column 1 in UNION query has incompatible types: bigint, varchar
            > insert into log values (1)
            ErrorType:QueryParseError.ErrorMessage:syntax error,invalid pipe line operator near < insert >: parse fail, please check your query,if it has (SELECT)
            > select i; select i
            ErrorType:SyntaxError.ErrorPosition,line:1,column:9.ErrorMessage:line 1:9: mismatched input ';' expecting {<EOF>}
            > select attach('x')
            ErrorType:FunctionNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:8: Function attach not registered
            > select load_extension('x')
            ErrorType:FunctionNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line 1:8: Function load_extension not registered
            > select i from sqlite_master
            ErrorType:SemanticError.ErrorPosition,line:1,column:15.ErrorMessage:line 1:15: logstore sqlite_master does not exist"#]],
    );
}

#[test]
fn a_subquery_is_compared_with_an_earlier_time() {
    let mut bed = bed();
    let (mut earlier, generation) = bed.groups[0].clone();
    earlier.logs.truncate(2);
    earlier.logs.iter_mut().for_each(|log| log.time -= 86_400);
    bed.groups.push((earlier, generation));
    let statements = [
        "select d[1] now, d[2] before, d[3] ratio from (select compare(c, 86400) d from (select count(*) c from log))",
        "select s, compare(c, 86400, 172800) d from (select s, count(*) c from log group by s) group by s order by s",
        "select compare(c, 86400) from log",
        "select compare(c) from (select count(*) c from log)",
        "select compare(s, 60) from (select s from log)",
    ];
    let shown: Vec<String> = statements.iter().map(|sql| bed.rows(sql)).collect();
    expect![[r#"
        now=5.0 before=2.0 ratio=2.5
        s=GET d=[3.0,1.0,null,3.0,null,1699916400.0,1699830000.0]
        s=POST d=[1.0,1.0,null,1.0,null,1699916400.0,1699830000.0]
        s=PUT d=[1.0,null,null,null,null,1699916400.0,1699830000.0]
        ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: compare needs one subquery in FROM, for example (select count(*) as pv from log)
        ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: compare takes a value and 1 to 8 numbers of seconds
        ErrorType:SemanticError.ErrorPosition,line:1,column:8.ErrorMessage:line 1:8: compare needs a number, not varchar"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn names_of_items_and_columns_may_be_the_same() {
    check(
        &[
            "select __time__ - __time__ % 60 as t, count(*) c group by t",
            "select substr(s, 1, 1) s, count(*) c group by s order by c desc, s",
            "select count(*) as n, 7 as k group by k order by k",
        ],
        expect![[r#"
            > select __time__ - __time__ % 60 as t, count(*) c group by t
            t=1700002800 c=5
            > select substr(s, 1, 1) s, count(*) c group by s order by c desc, s
            s=G c=3
            s=P c=1
            s=P c=1
            > select count(*) as n, 7 as k group by k order by k
            n=5 k=7"#]],
    );
}

#[test]
fn long_statements_do_not_exhaust_the_stack() {
    let mut bed = bed();
    let chain = |word: &str, count: usize| vec!["i = '1'"; count].join(word);
    assert_eq!(bed.rows(&format!("select count(*) c where {}", chain(" or ", 700))), "c=1");
    for deep in [
        format!("select {}1{} from log", "(".repeat(5000), ")".repeat(5000)),
        format!("select {}1 from log", "-".repeat(300)),
        format!("select {} from log", vec!["1"; 1900].join(" + ")),
        format!("select {}i{} from log", "lower(".repeat(500), ")".repeat(500)),
        format!("select i where {}", chain(" or ", 5000)),
        format!("{}select i from log{}", "select i from (".repeat(200), ")".repeat(200)),
    ] {
        let outcome = bed.rows(&deep);
        assert!(outcome.starts_with("ErrorType:"), "{outcome}");
    }
}

#[test]
fn without_limit_there_are_a_hundred_rows() {
    let logs: Vec<_> = (0..150).map(|i| json!({"i": i.to_string()})).collect();
    let mut bed = Bed::new(index(&["i"]), &logs);
    assert_eq!(bed.rows("select i").lines().count(), 100);
    assert_eq!(bed.rows("select i limit 1000").lines().count(), 150);
    assert_eq!(bed.rows("select count(*) c from (select i from log)"), "c=150");
}

#[test]
fn an_alias_that_is_another_columns_name_is_a_conflict() {
    use crate::query::testing::{config, delimiters};
    let keys = json!({
        "a": {"type": "text", "doc_value": true, "token": delimiters(), "alias": "b"},
        "b": {"type": "long", "doc_value": true},
    });
    let mut bed = Bed::new(config(json!({"keys": keys})), &[json!({"a": "x", "b": "1"})]);
    assert_eq!(bed.rows("select a"), "a=x");
    assert!(bed.rows("select b").ends_with("duplicate column conflicts: b"));
}
