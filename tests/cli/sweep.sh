#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/sweep on this machine: what it refuses, that its table is that of one spht-replay,
# what is run again after which damage, GNU parallel, and that over ssh.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1
PATH=$PATH:/usr/sbin
# The option names a stand-in; this is who it stands in for.
real=$SPHT_REPLAY
unset SPHT_REPLAY

sweep()
{
	"$TOP/scripts/sweep" "$@"
}

# usage SENTENCE REGEX ARG...: exit status 2 and one message.
usage()
{
	usage_what=$1
	usage_regex=$2
	shift 2
	status 2 "$usage_what is refused" sweep "$@"
	cp err said
	has "  it says: $usage_regex" said "$usage_regex"
	check "  in a line" test "$(wc -l <said)" -eq 1
}

# bad SENTENCE REGEX: the plan on stdin is none, and nothing comes of it.
bad()
{
	cat >bad.json
	status 1 "$1 is refused" sweep run --replay="$real" bad.json
	has "  it says: $2" err "$2"
	check "  and nothing is made" test ! -e bad.sweep
}

# stand_in FILE: a program on stdin, whose real() becomes the true one, and logs that.  All
# have the same bytes, by which a program is told that was built from changed sources.
stand_in()
{
	cat >"$1.does"
	cat >"$1" <<END
#!/bin/sh
T=$T
real=$real
real()
{
	case \$1 in
	--quiet) echo "\$*" >>"\$T/log" ;;
	esac
	exec "\$real" "\$@"
}
. "\$0.does"
END
	chmod +x "$1"
}

# ran N: so many shards have come to the stand-ins since the last `: >log`.
ran()
{
	test "$(wc -l <log)" -eq "$1" || {
		cat log >&2
		return 1
	}
}

# sums: names and contents of all shards.
sums()
{
	find plan.sweep/shards -type f -exec sha256sum {} + | sort
}

mkdir traces
"$SPHT_MKTRACE" -o traces/a.spht "$TOP/tests/data/replay-golden.txt" || exit 1
"$SPHT_MKTRACE" -o traces/b.spht "$TOP/tests/data/replay-2vcpu.txt" || exit 1
stand_in replay <<'END'
real "$@"
END
cat >plan.json <<'END'
{
	"note": "two recordings, three heuristics, two rules, two scales",
	"traces": ["traces/b.spht", "traces/*.spht"],
	"heuristics": ["none", "window:size=8", "prefault"],
	"options": {"legality": ["present", "accessed"], "guest-time-scale": "0.50,1"},
	"shard": 2
}
END
# What it comes to: the same by hand, in the plan's order.
for rule in present accessed; do
	"$real" --quiet --csv=- --legality=$rule --guest-time-scale=0.50,1 --heuristic=none \
		--heuristic=window:size=8 --heuristic=prefault traces/b.spht traces/a.spht
done | awk 'NR == 1 || !/^schema,/' >direct.csv

check "--help says what there is" sweep --help
for command in plan run status merge shard; do
	has "  it tells of $command" out "scripts/sweep $command"
done
status 2 "without a word it says the same, and fails" sweep
usage "a command that there is none of" 'nothing: expected one of plan' nothing plan.json
usage "an option that there is none of" '--frob' run --frob plan.json
usage "an option of another command" '--csv' run --csv=x plan.json
usage "no plan" 'which PLAN' run
usage "two plans" 'one PLAN at a time' run plan.json plan.json
usage "no shard at a time" '-j 0: expected 1\.\.1024' run -j 0 plan.json
usage "a number of threads that is none" '--threads x: expected' run --threads=x plan.json
usage "two ways to run it" 'two ways' run --parallel --slurm plan.json
usage "a shard without a list" 'expected JOBS NUMBER' shard plan.json

status 1 "a plan that is not there is refused" sweep run none.json
has "  it says so" err '^sweep: none\.json: No such file'
bad "a plan that is no JSON" 'bad\.json: no plan' <<'END'
traces: all
END
bad "a plan that is a list" 'expected an object' <<'END'
[]
END
bad "a key that a plan does not have" '"trace": expected one of' <<'END'
{"trace": ["traces/a.spht"], "heuristics": ["none"]}
END
bad "a key that is there twice" "'heuristics' is there twice" <<'END'
{"traces": ["traces/a.spht"], "heuristics": ["none"], "heuristics": ["window"]}
END
bad "a plan without recordings" '"traces": expected a list' <<'END'
{"heuristics": ["none"]}
END
bad "a glob that finds nothing" 'traces: c\*\.spht: no such file' <<'END'
{"traces": ["c*.spht"], "heuristics": ["none"]}
END
cp traces/a.spht copy.spht
bad "a recording under two names" 'copy\.spht and traces/a\.spht are the same recording' <<'END'
{"traces": ["traces/a.spht", "copy.spht"], "heuristics": ["none"]}
END
bad "an option that says where output goes" '"csv" is not for a plan' <<'END'
{"traces": ["traces/a.spht"], "heuristics": ["none"], "options": {"csv": "x"}}
END
bad "an option that it does not know" '"frob" is none that a plan can have' <<'END'
{"traces": ["traces/a.spht"], "heuristics": ["none"], "options": {"frob": 1}}
END
bad "a switch that is a number" '"partial": expected true or false' <<'END'
{"traces": ["traces/a.spht"], "heuristics": ["none"], "options": {"partial": 1}}
END
bad "an alternative that is there twice" '"kvm": expected values, each of them once' <<'END'
{"traces": ["traces/a.spht"], "heuristics": ["none"], "options": {"kvm": ["6.1", "6.1"]}}
END
bad "a shard of nothing" '"shard": expected a number' <<'END'
{"traces": ["traces/a.spht"], "heuristics": ["none"], "shard": 0}
END

# Whoever gives spht-replay an option decides here whether it changes rows.
"$real" --help | grep -oE '(^  |, )--[a-z-]+' | sed 's/.*--//' | sort -u >options
python3 -B -c '
import sys
sys.path.insert(0, sys.argv[1])
from sweeplib.plan import FLAGS, REFUSED, VALUED
print("\n".join(sorted(FLAGS | REFUSED | VALUED)))' "$TOP/scripts" >known
comm -23 options known >unknown
check "spht-replay has options" test "$(wc -l <options)" -gt 20
check "sweep has decided about every one of them" diff /dev/null unknown

status 1 "a program that is not there is refused" sweep plan --replay=./none plan.json
has "  it says what to do" err '/none: No such file.*--replay=PROGRAM'
status 1 "a program that is another one is refused" sweep plan --replay=/bin/echo plan.json
has "  it says so" err 'is no spht-replay'

check "a plan can be looked at" sweep plan --list --replay=./replay plan.json
has "  it says how many shards" out '^shards +8, of up to 2 configurations; 0 done$'
has "  and rows" out '^rows +24$'
has "  and which recordings" out \
	"^  $(sha256sum traces/b.spht | cut -d' ' -f1)  traces/b\.spht\$"
has "  and each shard, in the plan's order" out '^  7 missing: a\.spht, prefault.*--legality=accessed$'
check "  nothing is made" test ! -e plan.sweep
status 1 "nothing can be merged before it is run" sweep merge --replay=./replay plan.json
has "  it says what is missing" err '8 of 8 shards are missing, the first is 0: b\.spht, none'

: >log
check "a plan is run" sweep run -j 2 --replay=./replay plan.json
has "  all of it" err '^sweep: 8 of 8 shards done$'
check "  each shard once" ran 8
check "it is merged" sweep merge --replay=./replay --csv=merged.csv plan.json
same "  into the table of one spht-replay" merged.csv direct.csv
check "it is merged to standard output" sweep merge --replay=./replay plan.json
same "  into the same" out direct.csv
find plan.sweep/tmp plan.sweep/failed -type f >left
check "  nothing else is left" diff /dev/null left
sums >before
: >log
check "it is run again" sweep run --replay=./replay plan.json
check "  which runs nothing" ran 0
: >behind.csv
ln -s behind.csv link.csv
check "it is merged through a link" sweep merge --replay=./replay --csv=link.csv plan.json
check "  which stays one" test -L link.csv
same "  with the table behind it" behind.csv merged.csv
status 1 "a table does not replace its plan" sweep merge --replay=./replay --csv=plan.json plan.json
has "  it says so" err 'plan\.json would be replaced by its own results'
status 1 "nor a recording" sweep merge --replay=./replay --csv=traces/a.spht plan.json

set -- plan.sweep/shards/*
name=${1##*/}
echo unfinished >"plan.sweep/tmp/${name%.shard}.elsewhere.1.1"
rm "$1"
truncate -s -1 "$2"
sed -i 's/present\|accessed/prasent/' "$3"
cp "$5" "$4"
: >"$6"
status 1 "a folder that was damaged is looked at" sweep status --replay=./replay plan.json
has "  it counts" out '^sweep: 3 of 8 shards done, 4 damaged$'
has "  it says what is wrong" out 'its sha256 is not that of its rows$'
has "  of a copy, too" out 'its name is not that of its identity$'
has "  and of an empty one" out 'its first lines are not those of a shard$'
cp merged.csv kept.csv
status 1 "it is not merged" sweep merge --replay=./replay --csv=merged.csv plan.json
has "  it names a file" err \
	'plan\.sweep/shards/[0-9a-f]+\.shard: its .*; scripts/sweep run makes it again'
same "  the table stays as it was" merged.csv kept.csv
: >log
check "it is run again" sweep run --replay=./replay plan.json
check "  which runs what is damaged or missing" ran 5
sums >after
same "  the shards have the same bytes" before after
find plan.sweep/tmp -type f >left
check "  and what was unfinished is gone" diff /dev/null left

# Two at the same time, each of all shards.
rm -r plan.sweep
sweep run --replay=./replay plan.json 2>first &
other=$!
check "two run it at the same time" sweep run --replay=./replay plan.json
check "  the other one ends well" wait "$other"
check "  it is merged" sweep merge --replay=./replay --csv=merged.csv plan.json
same "  into the table" merged.csv direct.csv

# Held at its third shard, and killed there.
rm -r plan.sweep
stand_in held <<'END'
case $1 in
--quiet)
	echo $$ >>"$T/held.pids"
	if [ "$(wc -l <"$T/held.pids")" -gt 2 ]; then
		echo schema,tool_version,git_commit
		exec sleep 60
	fi
	;;
esac
real "$@"
END
: >held.pids
"$TOP/scripts/sweep" run --replay=./held plan.json 2>first &
other=$!
while [ "$(wc -l <held.pids)" -lt 3 ] && kill -0 "$other" 2>/dev/null; do
	sleep 0.1
done
kill -TERM "$other"
# More than status() takes for an exit status.
wait "$other"
check "a run that is ended says so" test $? -eq 143
child=$(tail -n 1 held.pids)
check "  it ends its spht-replay" sh -c "! kill -0 $child 2>/dev/null"
status 1 "  the others are not lost" sweep status --replay=./replay plan.json
has "  they are counted" out '^sweep: 2 of 8 shards done$'
: >log
check "  the rest can be run" sweep run --replay=./replay plan.json
check "  and no more" ran 6
check "  and all be merged" sweep merge --replay=./replay --csv=merged.csv plan.json
same "  into the table" merged.csv direct.csv

# Other inputs.
cp traces/a.spht a.kept
"$SPHT_TRACE" repack --level=1 a.kept -o again.spht >repacked 2>&1
mv again.spht traces/a.spht
old=$(sha256sum a.kept | cut -d' ' -f1)
new=$(sha256sum traces/a.spht | cut -d' ' -f1)
check "another recording takes the place of the first" test "$old" != "$new"
status 1 "  it is not merged" sweep merge --replay=./replay plan.json
cp err said
has "  it says which" said \
	"4 of 8 shards are missing.*trace_sha256 of a\.spht was $old then and is $new now"
check "  in a line" test "$(wc -l <said)" -eq 1
cp a.kept traces/a.spht
stand_in newer <<'END'
case $1 in
--version) "$real" --version | sed 's/ (.*/ (0123456789ab)/' ;;
--quiet) "$real" "$@" | sed '2,$s/^\([^,]*,[^,]*\),[^,]*/\1,0123456789ab/' ;;
*) real "$@" ;;
esac
END
status 1 "with another spht-replay it is not merged" sweep merge --replay=./newer plan.json
has "  it says which" err '8 of 8 shards are missing.*git_commit was .* then and is 0123456789ab now'
check "  no table is printed" test ! -s out
check "that one runs its own" sweep run --replay=./newer plan.json
check "  it is merged" sweep merge --replay=./newer --csv=newer.csv plan.json
has "  it says that there are others" err '8 other shards .* are not of this plan'
cells newer.csv git_commit | sort -u >commits
check "  and leaves them out" grep -qx 0123456789ab commits
check "  all of them" test "$(wc -l <commits)" -eq 1
check "  the first one's are there still" sweep merge --replay=./replay --csv=merged.csv plan.json
same "  with their table" merged.csv direct.csv
cp "$TOP/replay/costs/default.json" costs.json
sed 's/"accessed"]/"accessed"], "costs": "costs.json"/' plan.json >costs-plan.json
check "a plan may name a cost profile" sweep run --replay=./replay costs-plan.json
echo >>costs.json
status 1 "  with another one it is not merged" sweep merge --replay=./replay costs-plan.json
has "  it says so" err '8 shards here are of another sweep: options was'

# Mixed by hand, with checksums that are right: what the rows say counts.
mkdir -p forged/plan.sweep/shards
python3 -B -c '
import sys
sys.path.insert(0, sys.argv[1])
from sweeplib.shard import Shard
import os
first = True
for name in sorted(os.listdir("plan.sweep/shards")):
    shard = Shard.read("plan.sweep/shards/" + name)
    if first and shard.identity.members["git_commit"] != "0123456789ab":
        lines = shard.body.split(b"\n")
        lines[1:-1] = [b"1" + line[line.index(b","):] for line in lines[1:-1]]
        shard.body, first = b"\n".join(lines), False
    open("forged/plan.sweep/shards/" + name, "wb").write(shard.bytes())
' "$TOP/scripts"
status 1 "shards of different schemas are not merged" \
	sweep merge --replay=./replay --dir=forged/plan.sweep plan.json
has "  it says which" err 'the shards are mixed: schema'

# What spht-replay says and prints is believed only where it fits.
rm -r plan.sweep
sum=$(sha256sum traces/b.spht | cut -d' ' -f1)
stand_in other <<END
case \$1 in
--quiet) "\$real" "\$@" | sed s/$sum/0/ ;;
*) real "\$@" ;;
esac
END
status 1 "rows of another recording are no shard" sweep run --replay=./other plan.json
has "  it says why" err 'not what was planned: trace_sha256 is 0, expected'
has "  the other one's are" err '^sweep: 4 of 8 shards done, 4 failed$'
stand_in short <<'END'
case $1 in
--quiet) "$real" "$@" | head -n 2 ;;
*) real "$@" ;;
esac
END
status 1 "nor is a part of its rows" sweep run --replay=./short plan.json
has "  it says why" err 'not what was planned: 1 rows, expected 4'
stand_in silent <<'END'
case $1 in
--quiet) ;;
*) real "$@" ;;
esac
END
status 1 "nor is nothing" sweep run --replay=./silent plan.json
stand_in swapped <<'END'
case $1 in
--quiet) "$real" "$@" | sed 's/,window,size=8;/,window,size=4;/' ;;
*) real "$@" ;;
esac
END
status 1 "nor are rows of other parameters" sweep run --replay=./swapped plan.json
has "  it says why" err 'not what was planned: a row of window:size=4;.*, expected window:size=8'
rm -r plan.sweep
stand_in false3 <<'END'
case "$*" in
--quiet*traces/a.spht)
	echo "spht-replay: counters do not sum" >&2
	exit 3
	;;
esac
real "$@"
END
status 3 "an identity that does not hold is told" sweep run --replay=./false3 plan.json
has "  with what was said" err 'failed \(3\): a\.spht, .*counters do not sum'
has "  the other shards are done" err '^sweep: 4 of 8 shards done, 4 failed$'
status 3 "  status says the same" sweep status --replay=./false3 plan.json
has "  and why" out 'failed \(3\): a\.spht, .*counters do not sum'
status 3 "  and it is not merged" sweep merge --replay=./false3 plan.json
check "what has failed can be run again" sweep run --replay=./replay plan.json
check "  and then has not failed" sweep status --replay=./replay plan.json
lacks "  any more" out failed

head -c -100 traces/a.spht >traces/cut.spht
cat >partial.json <<'END'
{"traces": ["traces/a.spht", "traces/cut.spht"], "heuristics": ["none"]}
END
status 1 "a damaged recording fails" sweep run --replay="$real" partial.json
has "  that one only" err '^sweep: 1 of 2 shards done, 1 failed$'
cat >one.json <<'END'
{"traces": ["traces/b.spht"], "heuristics": ["none"], "options": {"guest-time-scale": 1.50}}
END
check "a number is passed on" sweep plan --replay="$real" one.json
has "  as it is written" out ' --guest-time-scale=1\.50$'
status 1 "what was never run" sweep merge --replay="$real" --dir=partial.sweep one.json
has "  is not taken for another recording's" err '1 of 1 shards are missing, the first is 0: b\.spht'
sed -i 's/}/, "options": {"partial": true}}/' partial.json
status 4 "with the option partial it is read" sweep run --replay="$real" partial.json
status 4 "  and merged" sweep merge --replay="$real" --csv=partial.csv partial.json
has "  loudly" err 'read incompletely: cut\.spht'
"$real" --quiet --csv=partial-direct.csv --partial --heuristic=none traces/a.spht \
	traces/cut.spht 2>said
same "  into the table of one spht-replay" partial.csv partial-direct.csv
rm traces/cut.spht

# Ranges and plugins.
cp "$TOP/examples/lastdelta/lastdelta.c" traces/b.spht .
cat >plugin.json <<'END'
{"traces": ["b.spht"], "heuristics": ["window:size=8|16", "./lastdelta.so:depth=1|8"], "shard": 3}
END
plugin()
{
	"${CC:-gcc}" -O1 -shared -fPIC "$@" -I"$T/include" -o lastdelta.so lastdelta.c
}
mkdir include
ln -s "$TOP/heuristics" include/spht
if check "a plugin is built" plugin; then
	check "a plan has ranges and plugins" sweep run --replay=./replay plugin.json
	has "  two shards of them" err '^sweep: 2 of 2 shards done$'
	check "  they are merged" sweep merge --replay=./replay --csv=plugin.csv plugin.json
	"$real" --quiet --csv=plugin-direct.csv --heuristic='window:size=8|16' \
		--heuristic='./lastdelta.so:depth=1|8' b.spht
	same "  into the table of one spht-replay" plugin.csv plugin-direct.csv
	check "the plugin is built anew, otherwise" plugin -DANEW -g
	status 1 "  what has it is not merged" sweep merge --replay=./replay plugin.json
	has "  it says why" err '2 of 2 shards are missing, 2 shards here are of another sweep: plugins was'
fi

# Names that a shell would take for something else.
odd="a b'c%j {} {#}"
mkdir "$odd"
cp plan.json "$odd/-p.json"
cp -R traces "$odd/traces"
# On another disk, say: workers find the recordings all the same.
mkdir -p disk/two
ln -s ../disk/two "$odd/-p.sweep"

if ! command -v parallel >/dev/null; then
	skip "GNU parallel runs it" "parallel is not installed"
	finish
fi
# Where parallel and ssh keep what they keep.
HOME=$T
export HOME
: >log
check "GNU parallel runs it" sweep run --parallel -j 2 --replay=./replay "$odd/-p.json"
check "  each shard once" ran 8
check "  it is merged" sweep merge --replay=./replay --csv=merged.csv "$odd/-p.json"
same "  into the same table" merged.csv direct.csv
: >log
check "a worker whose shard is done" sweep shard --replay=./replay disk/two/jobs/*.json 0
check "  runs nothing" ran 0
usage "a shard that there is none of" 'json has 8, counted from 0' \
	shard --replay=./replay disk/two/jobs/*.json 8
# As Slurm ends a worker.
stand_in stuck <<'END'
case $1 in
--quiet)
	echo $$ >"$T/stuck.pid"
	exec sleep 60
	;;
esac
real "$@"
END
mkdir lone lone/shards lone/tmp lone/failed
ln -s ../disk/two/jobs lone/jobs
"$TOP/scripts/sweep" shard --replay=./stuck --dir=lone lone/jobs/*.json 0 >said 2>&1 &
other=$!
while [ ! -s stuck.pid ] && kill -0 "$other" 2>/dev/null; do
	sleep 0.1
done
kill -TERM "$other"
wait "$other"
check "a worker that is ended says so" test $? -eq 143
child=$(cat stuck.pid)
check "  it ends its spht-replay" sh -c "! kill -0 $child 2>/dev/null"
find lone/ -type f >left
check "  and leaves nothing" diff /dev/null left
status 1 "its failures are told" sweep run --parallel=-j1 --replay=./short --dir=short.sweep plan.json
has "  with what was said" err 'not what was planned: 1 rows, expected 4'
status 1 "an option that parallel does not know fails" \
	sweep run --parallel=--frobnicate --replay=./replay --dir=fresh.sweep plan.json
has "  it says so" err '^sweep: parallel: exit status 255$'

# ssh to this machine, with an sshd, a key and a configuration of its own.
own_sshd()
{
	port=$(python3 -c '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
	mkdir -m 700 ssh
	ssh-keygen -q -t ed25519 -N '' -f ssh/host || return 1
	ssh-keygen -q -t ed25519 -N '' -f ssh/me || return 1
	cat >ssh/sshd_config <<END
Port $port
ListenAddress 127.0.0.1
HostKey $T/ssh/host
AuthorizedKeysFile $T/ssh/me.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
END
	cat >ssh/config <<END
Host worker
	HostName 127.0.0.1
	Port $port
	IdentityFile $T/ssh/me
	IdentitiesOnly yes
	UserKnownHostsFile $T/ssh/known
	StrictHostKeyChecking accept-new
	BatchMode yes
END
	# Where root's sshd locks itself in; the package's own service makes it at boot.
	if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then
		mkdir -m 755 /run/sshd && own_run=/run/sshd
	fi
	"$(command -v sshd)" -D -e -f "$T/ssh/sshd_config" 2>ssh/log &
	sshd=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		ssh -F "$T/ssh/config" worker true 2>ssh/why && return
		sleep 0.3
	done
	tail -n 1 ssh/why
	return 1
}
own_run=
sshd=
ssh_end()
{
	[ -z "$sshd" ] || kill "$sshd"
	[ -z "$own_run" ] || rmdir "$own_run"
}
trap 'ssh_end; lib_exit' EXIT

login=:
if ! command -v sshd >/dev/null || ! command -v ssh >/dev/null; then
	skip "GNU parallel runs it over ssh" \
		"openssh-server is not installed; tried with --sshlogin :"
elif own_sshd >why; then
	login="ssh -F $T/ssh/config worker"
else
	skip "GNU parallel runs it over ssh" "no login: $(cat why); tried with --sshlogin :"
fi
: >log
check "GNU parallel runs it with --sshlogin" sweep run --parallel="--sshlogin '2/$login'" \
	--dir=far.sweep --replay=./replay "$odd/-p.json"
check "  each shard once" ran 8
check "  it is merged" sweep merge --replay=./replay --csv=merged.csv --dir=far.sweep "$odd/-p.json"
same "  into the same table" merged.csv direct.csv
[ "$login" = : ] || has "  over ssh indeed" ssh/log 'Accepted publickey'
finish
