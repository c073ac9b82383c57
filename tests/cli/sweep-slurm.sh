#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/sweep --slurm on a cluster of its own: munged, slurmctld and slurmd of this machine's
# packages, with keys, state and ports of their own, as the user who runs the test.  The node
# dies in the middle, and what it had not done is done later.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1
PATH=$PATH:/usr/sbin
what="Slurm runs a sweep"

if [ -n "$SPHT_SANITIZED" ]; then
	skip "$what" "tried by make check"
	finish
fi
for program in munged slurmctld slurmd sbatch squeue scontrol; do
	command -v "$program" >/dev/null && continue
	skip "$what" "no $program here; scripts/deps installs slurm-wlm and munge"
	finish
done

host=$(hostname -s)
SLURM_CONF=$T/slurm.conf
export SLURM_CONF
# shellcheck disable=SC2046 # two numbers
set -- $(python3 -c '
import socket
s = [socket.socket() for _ in range(2)]
for one in s:
    one.bind(("127.0.0.1", 0))
    print(one.getsockname()[1])')
mkdir state spool
head -c 128 /dev/urandom >key
chmod 600 key
cat >slurm.conf <<END
ClusterName=sweep
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$1
SlurmdPort=$2
AuthType=auth/munge
AuthInfo=socket=$T/munge.sock
CredType=cred/munge
StateSaveLocation=$T/state
SlurmdSpoolDir=$T/spool
SlurmctldPidFile=$T/slurmctld.pid
SlurmdPidFile=$T/slurmd.pid
SlurmctldLogFile=$T/slurmctld.log
SlurmdLogFile=$T/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=2
SlurmdTimeout=5
BatchStartTimeout=1
MaxArraySize=3
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
END

# ours: the processes of this cluster's jobs: those that were started with its configuration
# and a job's number, and slurmstepd.  What ends while one looks is no error.
ours()
{
	for folder in /proc/[0-9]*; do
		tr '\0' '\n' <"$folder/environ" >environ || continue
		grep -qxF "SLURM_CONF=$SLURM_CONF" environ || continue
		grep -q '^SLURM_JOB_ID=' environ || grep -q '^slurmstepd' "$folder/cmdline" || continue
		echo "${folder#/proc/}"
	done 2>/dev/null
}

munged=
controller=
node=
cluster_end()
{
	for pid in $controller $node $munged; do
		kill "$pid"
	done
	sleep 0.2
	# No test of ours runs on when this script has ended, whatever became of its parent.
	for pid in $(ours); do
		kill -KILL "$pid"
	done
} 2>/dev/null
trap 'cluster_end; lib_exit' EXIT

node_up()
{
	slurmd -D >>slurmd.out 2>&1 &
	node=$!
}

# within SECONDS COMMAND...: becomes true by then.
within()
{
	within_end=$(($(date +%s) + $1))
	shift
	until "$@" >within.out 2>&1; do
		[ "$(date +%s)" -lt "$within_end" ] || return 1
		sleep 0.2
	done
}
munge_answers()
{
	munge -n -S "$T/munge.sock"
}
node_is_idle()
{
	[ "$(sinfo -h -o %t)" = idle ]
}
queue_is_empty()
{
	squeue -h >queue && [ ! -s queue ]
}
held()
{
	[ -e held ] && [ "$(wc -l <held)" -ge "$1" ]
}

cluster_up()
{
	# The folder is closed to others, who need not come in.
	munged --force --foreground --key-file="$T/key" --socket="$T/munge.sock" \
		--pid-file="$T/munged.pid" --log-file="$T/munged.log" --seed-file="$T/seed" \
		>munged.out 2>&1 &
	munged=$!
	within 10 munge_answers || return 1
	slurmctld -D -c >slurmctld.out 2>&1 &
	controller=$!
	node_up
	within 30 node_is_idle
}

if ! cluster_up; then
	tail -n 3 munged.out munged.log slurmctld.log slurmd.log 2>/dev/null | sed 's/^/# /'
	[ "$(id -u)" = 0 ] || {
		skip "$what" "its daemons do not start, and this is not root"
		finish
	}
	check "a cluster can be started" false
	finish
fi

sweep()
{
	"$TOP/scripts/sweep" "$@"
}

mkdir traces
"$SPHT_MKTRACE" -o traces/a.spht "$TOP/tests/data/replay-golden.txt" || exit 1
"$SPHT_MKTRACE" -o traces/b.spht "$TOP/tests/data/replay-2vcpu.txt" || exit 1
cat >plan.json <<'END'
{"traces": ["traces/*.spht"], "heuristics": ["none", "window", "prefault", "nextline"], "shard": 1}
END
# Logs who asks, and holds all but the first two of them as long as there is a gate.
cat >replay <<END
#!/bin/sh
case \$1 in
--quiet)
	echo "\$*" >>$T/log
	if [ -e $T/gate ] && [ "\$(wc -l <$T/log)" -gt 2 ]; then
		echo \$\$ >>$T/held
		while [ -e $T/gate ]; do sleep 0.1; done
	fi
	;;
esac
exec $SPHT_REPLAY "\$@"
END
chmod +x replay
unset SPHT_REPLAY

: >log
check "a plan is run here" sweep run -j 2 --replay=./replay --dir=here.sweep plan.json
check "  it is merged" sweep merge --replay=./replay --dir=here.sweep --csv=here.csv plan.json

status 1 "an option that sbatch does not know fails" \
	sweep run --slurm=--frobnicate --replay=./replay plan.json
has "  it says so" err 'sweep: sbatch: exit status'

: >log
: >gate
# Slurm itself would run what the node has lost: without that it is for sweep to see.
check "a plan is submitted" sweep run --slurm=--no-requeue --replay=./replay plan.json
check "  as arrays no larger than the cluster allows" \
	test "$(grep -c '^Submitted batch job' out)" -eq 3
check "two of its tasks run on" within 30 held 2
status 1 "  as status tells" sweep status --replay=./replay plan.json
has "  two are done before them" out '^sweep: 2 of 8 shards done$'
status 1 "a second submission is refused meanwhile" sweep run --slurm --replay=./replay plan.json
has "  it says what to do" err 'of this sweep has not ended yet: wait, or scancel [0-9]'

# The node: first the daemon, so that it cannot tell, then all that it had started.
kill -KILL "$node"
wait "$node" 2>/dev/null
none_left()
{
	for pid in $(ours); do
		kill -KILL "$pid"
	done
	[ -z "$(ours)" ]
}
check "the node dies and takes them along" within 20 none_left
rm gate
node_up
check "it comes back, and Slurm runs the rest" within 60 queue_is_empty
status 1 "two shards are missing" sweep status --replay=./replay plan.json
has "  they are counted" out '^sweep: 6 of 8 shards done$'
status 1 "  it is not merged" sweep merge --replay=./replay --csv=slurm.csv plan.json
has "  it says why" err '2 of 8 shards are missing'
check "  there is no table" test ! -e slurm.csv

: >log
check "it is submitted again, and waited for" sweep run --slurm=--wait --replay=./replay plan.json
has "  then all of it is done" err '^sweep: 8 of 8 shards done$'
check "  only what was missing is run" test "$(wc -l <log)" -eq 2
check "  by two tasks more than the eight before" \
	test "$(find plan.sweep/logs -type f | wc -l)" -eq 10
check "it is merged" sweep merge --replay=./replay --csv=slurm.csv plan.json
same "  into the table that was made here" slurm.csv here.csv
for folder in here plan; do
	(cd $folder.sweep/shards && sha256sum -- *.shard) >$folder.sums
done
same "  of the same shards" plan.sums here.sums
: >log
check "nothing is submitted when all is done" sweep run --slurm --replay=./replay plan.json
check "  no job" test ! -s out
find plan.sweep/tmp -type f >left
check "  and nothing is left unfinished" diff /dev/null left

# What fails on the node is told here.
sed -i 's/--quiet)/--quiet) echo "spht-replay: no luck" >\&2; exit 1/' replay
status 1 "a shard that fails on the node" \
	sweep run -j 2 --slurm=--wait --dir=failing.sweep --replay=./replay plan.json
has "  is told with what was said" err 'failed \(1\): .*no luck$'
finish
