#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tests/mutate itself, on a project of one file: what it does not catch, it says.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

mkdir -p toy/tests
cat >toy/sum.c <<'END'
int main(void)
{
	int sum = 0;

	/* One to ten. */
	for (int i = 1; i <= 10; i++)
		sum += i;
	return sum != 55;
}
END
cat >toy/Makefile <<'END'
$(BUILD)/tests/unit/test_sum: sum.c
	mkdir -p $(@D)
	cc -o $@ sum.c
END
cat >toy/tests/run <<'END'
#!/bin/sh
"$BUILD/tests/$1" && echo "1 passed, 0 failed" && exit
echo "FAILED: $1: sum_is_55"
echo "0 passed, 1 failed"
exit 1
END
chmod +x toy/tests/run
cp -R toy before

# mutate: with the list on stdin.
mutate()
{
	cat >list
	"$TOP/tests/mutate" -t toy -l list "$@"
}
head='sum.c | unit/test_sum'

check "a rule whose breach is noticed passes" mutate <<END
the last one counts | $head
-i <= 10
+i < 10
END
has "  the test that noticed is named" out 'caught: sum_is_55$'
has "  it is counted" out '^1 passed, 0 failed$'

status 1 "a change that breaks nothing is a failure" mutate <<END
the comment counts | $head
-One to ten
+Ten to one
END
has "  it says that nobody noticed" out 'sum\.c, unit/test_sum: NOT CAUGHT$'
has "  and names the rule" out '^FAILED +the comment counts$'
has "  it is counted" out '^0 passed, 1 failed$'

status 1 "one among others is, too" mutate <<END
the last one counts | $head
-i <= 10
+i < 10

the comment counts | $head
-One to ten
+Ten to one

the first one counts | $head
-int i = 1
+int i = 2
END
has "  the others are told apart" out '^2 passed, 1 failed$'
check "  one can be asked for" "$TOP/tests/mutate" -t toy -l list last
has "  by a part of its name" out '^1 passed, 0 failed$'

status 1 "a rule that the sources do not have any more is a failure" mutate <<END
gone | $head
-sum -= i
+sum += i
END
has "  it says so" out 'DOES NOT FIT: its text is there 0 times'
status 1 "a rule that is there twice is one" mutate <<END
twice | $head
-sum
+total
END
has "  it says so" out 'DOES NOT FIT: its text is there 3 times'
status 1 "a rule that is replaced by itself is one" mutate <<END
same | $head
-sum += i
+sum += i
END
status 1 "a change that is no C is one, not a rule noticed" mutate <<END
no C | $head
-sum += i;
+sum += i
END
has "  it says so" out 'DOES NOT BUILD$'
status 1 "a file that is not there is one" mutate <<END
no file | add.c | unit/test_sum
-sum += i
+sum -= i
END
has "  it says so" out 'NO FILE'
status 1 "an entry without a test is refused" mutate <<END
no test | sum.c
-sum += i
+sum -= i
END
has "  with its line" err 'line 1: expected'
status 1 "no rule at all is refused" mutate </dev/null

status 1 "-n sees what does not fit" mutate -n <<END
gone | $head
-sum -= i
+sum += i

there, and nobody would notice | $head
-One to ten
+Ten to one
END
has "  and says so" out 'DOES NOT FIT: its text is there 0 times'
has "  it builds nothing: what fits passes" out '^1 passed, 1 failed$'

check "the tree itself stays as it was" diff -r before toy

# Who changes the sources hears at once that the list has to follow; whether the tests
# notice is asked by make check-mutations.
check "every rule of the list is in the sources" "$TOP/tests/mutate" -n

sed -i 's/!= 55/!= 54/' toy/sum.c
status 1 "a test that fails anyway proves nothing" mutate <<END
the last one counts | $head
-i <= 10
+i < 10
END
has "  it says so" out 'fails or is not built without any rule broken$'
finish
