# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make              build spht-trace, spht-replay and, where its libraries are, spht-record
# make demo         set up, build, replay the bundled recording to demo.csv
# make check        set up, build, run all tests
# make check-live   only those tests that record this machine
# make validate     predictions against a helper beside a guest of this machine
# make lab          record a Kernel Build guest in the nested lab; make check-lab tests it
# make check-asan   the same tests under AddressSanitizer and UBSan
# make check-tsan   the tests of threads under ThreadSanitizer: the real clock, and -j4
# make check-faults every allocation, write and read of the programs fails once
# make fuzz         fuzz targets for tests/fuzz/run, with clang
# make check-valgrind unit tests and commands under memcheck
# make check-huge  10^9 events in bounded memory: 20 GB of disk, half an hour; HUGE=--dir=DIR
# make check-mutations  break the rules of the model one by one: does a test fail each time
# make check-package  Debian packages, built and tried in a clean root; FULL=1: the README's two commands there, too
# make format-check does every C file look as .clang-format wants it
# make bench        sizes and speeds beside trace-cmd's and perf's: docs/bench.md; BENCH='OPTION... FILE'
# make tables       tables of docs/evidence.md; TABLES='bounds FILE...' for another one
# make validation   docs/validation.md, from docs/validation
# make clock        the table of docs/clock.md from docs/clock.csv; with CLOCK='NAME=FILE:SCALE...' measures first
# make artifact     every table and figure of docs/results.md anew, in build/artifact, held against those committed
# make results      docs/results.md and docs/figures, from traces/samples; docs/results-full.md with RECORDINGS='FILE...'
# make install, uninstall, clean
#
# V=1 shows commands, WERROR=1 makes warnings errors, BUILD=dir builds elsewhere,
# DESTDIR/prefix as usual, DEPS=: leaves installed packages alone.

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:

PKG_CONFIG ?= pkg-config
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
BUILD ?= build
prefix ?= /usr/local
bindir ?= $(prefix)/bin
includedir ?= $(prefix)/include
INSTALL ?= install
CFLAGS ?= -O2 -g
CLANG_FORMAT ?= clang-format
DEPS ?= scripts/deps
Q := $(if $(filter 1,$(V)),,@)

# `make clean` removes this folder.
ifneq ($(filter $(abspath $(BUILD))/%,$(CURDIR)/),)
$(error BUILD=$(BUILD) must not contain the sources)
endif

# What every program needs, and what only the collector and the tests need.
PKGS := libzstd jansson
# Headers alone: nothing of it is linked.
HEADER_PKGS := ck
RECORD_PKGS := libtracecmd libtracefs libtraceevent
TEST_PKGS := cmocka

VERSION := 0.1.0
GIT_COMMIT := $(shell git -C $(CURDIR) describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)

override CFLAGS += -std=gnu11 -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Wmissing-prototypes \
	-Wstrict-prototypes -pthread $(if $(WERROR),-Werror) $(if $(FUZZER),-Wno-format-nonliteral)
override CPPFLAGS += -I. -Itraces -I$(BUILD) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
# Empty where pkg-config or a library is missing; `have-libs` says so.
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) $(HEADER_PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
HAVE_RECORD := $(shell $(PKG_CONFIG) --exists $(RECORD_PKGS) 2>/dev/null && echo yes)
# Where libbpf is, spht-record reads the layout of a shadow page's role from BTF.
HAVE_BPF := $(shell $(PKG_CONFIG) --exists libbpf 2>/dev/null && echo yes)
RECORD_OPT_PKGS := $(if $(HAVE_BPF),libbpf)
# Where clang is as well, it is built with --snap.
CLANG ?= clang
HAVE_SNAP := $(if $(HAVE_BPF),$(shell $(CLANG) -print-targets 2>/dev/null | grep -qw bpf && echo yes))
SNAP_OBJECT := $(BUILD)/collector/snap.bpf.o
RECORD_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(RECORD_PKGS) $(RECORD_OPT_PKGS) 2>/dev/null) \
	$(if $(HAVE_BPF),-DHAVE_LIBBPF) \
	$(if $(HAVE_SNAP),-DHAVE_SNAP -DSNAP_OBJECT='"$(abspath $(SNAP_OBJECT))"')
RECORD_LIBS := $(shell $(PKG_CONFIG) --libs $(RECORD_PKGS) $(RECORD_OPT_PKGS) 2>/dev/null)
TEST_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(TEST_PKGS) 2>/dev/null)
TEST_LIBS := $(shell $(PKG_CONFIG) --libs $(TEST_PKGS) 2>/dev/null)

TRACES_SRCS := traces/error.c traces/events.c traces/mark.c traces/crc32c.c traces/sha256.c traces/column.c \
	traces/predict.c traces/predictions.c traces/schema.c traces/encode.c traces/program.c traces/decode.c \
	traces/format.c traces/source.c traces/index.c traces/reader.c traces/writer.c \
	traces/writer-footer.c traces/json-memory.c traces/part.c traces/std-files.c
TRACE_TOOL_SRCS := traces/spht-trace.c traces/cmd-util.c traces/exit-reason.c traces/cmd-info.c \
	traces/info-scan.c traces/info-missing.c traces/info-text.c traces/info-json.c \
	traces/cmd-dump.c traces/dump-rows.c traces/cmd-verify.c traces/cmd-cut.c traces/cut-state.c traces/cut-emit.c traces/cut-snaps.c \
	traces/node-table.c traces/cmd-repack.c
REPLAY_LIB_SRCS := replay/heuristic_spec.c replay/specs.c replay/plugin.c replay/thread.c replay/snapshot.c replay/order.c replay/assemble.c \
	replay/window.c \
	replay/classify.c replay/idmap.c replay/role.c replay/shadow.c replay/mmu.c \
	replay/guest.c replay/guest-guess.c replay/guest-snap.c replay/spill.c replay/change.c replay/step.c replay/chunk.c \
	replay/observe.c replay/observe-ops.c replay/observe-sync.c replay/observe-rmap.c \
	replay/housekeeping.c replay/insn.c replay/endogenous.c replay/resolve.c \
	replay/check.c replay/observe-snap.c replay/score.c replay/account.c replay/costs.c replay/whatif.c replay/whatif-world.c \
	replay/whatif-fault.c replay/whatif-tell.c replay/whatif-time.c replay/request.c replay/helper.c \
	replay/whatif-rules.c replay/whatif-pages.c replay/cpus.c replay/race.c \
	replay/tables.c replay/real.c replay/real-vcpu.c replay/real-helper.c replay/verify.c replay/whatif-look.c replay/timeline.c replay/whatif-timeline.c \
	replay/timeline-json.c replay/lock.c replay/curve.c replay/kvm.c \
	replay/roi.c replay/kvmstats.c replay/phase.c replay/reading.c replay/recording.c \
	replay/explain.c replay/story.c replay/pool.c replay/run.c replay/row.c replay/csv.c \
	replay/spread.c replay/text-real.c replay/json-real.c \
	replay/text.c replay/text-snap.c replay/text-phase.c replay/text-miss.c replay/text-story.c \
	replay/text-entry.c
REPLAY_SRCS := replay/spht-replay.c replay/model-options.c replay/timeline-options.c \
	replay/real-options.c replay/choose.c replay/emit.c replay/output.c replay/usage.c replay/calibrate.c
# Measures the machine it runs on; x86-64, as what is modelled.
ifeq ($(shell uname -m),x86_64)
CALIBRATE_SRCS := calibrate/spht-calibrate.c calibrate/cost.c calibrate/die.c calibrate/faults.c \
	calibrate/guest.c calibrate/host.c calibrate/kvm-report.c calibrate/lead-report.c \
	calibrate/lead.c calibrate/machine.c calibrate/pair.c calibrate/poll.c \
	calibrate/profile.c calibrate/script.c calibrate/stats.c calibrate/tracing.c \
	calibrate/vm.c
endif
RECORD_SRCS := collector/spht-record.c collector/options.c collector/message.c collector/settings.c collector/input.c \
	collector/output.c collector/child.c collector/must-malloc.c collector/import.c collector/import-report.c \
	collector/tracedat.c collector/types.c collector/tracedat-plan.c \
	collector/tracedat-meta.c collector/tracedat-v6.c collector/tracedat-file.c \
	collector/span.c collector/json.c collector/formats.c collector/plan.c collector/feed.c \
	collector/perfdata.c collector/perfdata-meta.c collector/perfdata-plan.c \
	collector/perfdata-stream.c collector/perfdata-sample.c collector/perfdata-order.c \
	collector/perfdata-losses.c collector/live.c collector/live-events.c collector/live-header.c \
	collector/live-report.c collector/capture.c collector/ring.c collector/profile.c \
	collector/command.c collector/host.c collector/kvm-facts.c collector/kvm-role.c \
	collector/kvm-stats.c collector/vm.c collector/vm-vcpus.c collector/proc.c \
	collector/sysfile.c collector/check.c collector/check-tracing.c collector/snap.c \
	collector/snap-open.c collector/snap-order.c collector/snap-program.c \
	collector/snap-ring.c collector/snap-tables.c
# What a plugin includes as <spht/heuristic.h>: installed, and nothing else of the project.
PUBLIC_HEADERS := heuristics/heuristic.h heuristics/lru.h heuristics/asked.h
# Where globs are: a heuristic is built in by being in the folder, as are its tests.
HEURISTIC_SRCS := $(sort $(wildcard heuristics/*.c))

# tests/unit/test_X.c; test_record_*.c are linked with the collector and built where it is.
UNIT_TESTS := tests/unit/test_record_perfdata_order.c \
	tests/unit/test_record_perfdata_stream.c tests/unit/test_record_perfdata_sample.c \
	tests/unit/test_role.c tests/unit/test_record_host.c \
	tests/unit/test_record_vm.c tests/unit/test_record_check.c \
	tests/unit/test_record_ring.c tests/unit/test_record_snap.c \
	tests/unit/test_pvm.c \
	tests/unit/test_record_child.c tests/unit/test_record_settings.c \
	tests/unit/test_heuristics.c \
	tests/unit/test_spec.c tests/unit/test_specs.c tests/unit/test_trace.c tests/unit/test_guess.c \
	tests/unit/test_damage.c tests/unit/test_sums.c \
	tests/unit/test_assemble.c tests/unit/test_mmu.c \
	tests/unit/test_guest.c tests/unit/test_guest_inferred.c tests/unit/test_guest_snap.c \
	tests/unit/test_snapshot.c tests/unit/test_score.c \
	tests/unit/test_steps.c \
	tests/unit/test_account.c tests/unit/test_costs.c tests/unit/test_windows.c \
	tests/unit/test_observed.c tests/unit/test_observed_writes.c \
	tests/unit/test_silent.c tests/unit/test_roots.c \
	tests/unit/test_entries.c tests/unit/test_endogenous.c \
	tests/unit/test_fidelity.c tests/unit/test_order.c \
	tests/unit/test_whatif.c tests/unit/test_whatif_time.c tests/unit/test_whatif_books.c \
	tests/unit/test_whatif_curve.c tests/unit/test_whatif_guest.c \
	tests/unit/test_whatif_kvm.c tests/unit/test_whatif_lock.c tests/unit/test_whatif_pages.c \
	tests/unit/test_whatif_patterns.c tests/unit/test_whatif_speedup.c tests/unit/test_whatif_tell.c \
	tests/unit/test_whatif_watch.c tests/unit/test_cpus.c tests/unit/test_real.c \
	tests/unit/test_roi.c tests/unit/test_oracle.c tests/unit/test_phase.c \
	tests/unit/test_story.c tests/unit/test_timeline.c
UNIT_TESTS += $(sort $(wildcard tests/unit/test_heuristic_*.c))
ifneq ($(CALIBRATE_SRCS),)
UNIT_TESTS += tests/unit/test_calibrate.c
endif
# What several of them share.
UNIT_LIB_SRCS := tests/unit/trace_util.c tests/unit/kvm_sim.c

objs = $(patsubst %.c,$(BUILD)/%.o,$(1))

TRACES_LIB := $(BUILD)/libtraces.a
REPLAY_LIB := $(if $(REPLAY_LIB_SRCS),$(BUILD)/libreplay.a)
RECORD_LIB := $(if $(HAVE_RECORD),$(if $(RECORD_SRCS),$(BUILD)/libcollector.a))

# A program whose list is empty is not there yet.
PROGRAMS := $(if $(TRACE_TOOL_SRCS),$(BUILD)/spht-trace) $(if $(REPLAY_SRCS),$(BUILD)/spht-replay) \
	$(if $(CALIBRATE_SRCS),$(BUILD)/spht-calibrate) $(if $(RECORD_LIB),$(BUILD)/spht-record)

UNIT_RECORD := $(filter tests/unit/test_record_%,$(UNIT_TESTS))
UNIT_PLAIN := $(filter-out $(UNIT_RECORD),$(UNIT_TESTS))
UNIT_RUN := $(patsubst %.c,$(BUILD)/%,$(UNIT_PLAIN) $(if $(RECORD_LIB),$(UNIT_RECORD)))

# Tools of the tests and of the bench: with traces/ alone, and with libtracecmd too.
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tests/%,\
	$(wildcard tests/tools/mktrace.c tests/tools/readbench.c tests/tools/writebench.c \
	tests/tools/profilecut.c tests/tools/repeat.c))
RECORD_TOOLS := $(if $(HAVE_RECORD),$(patsubst tests/tools/%.c,$(BUILD)/tests/%,\
	$(wildcard tests/tools/tracedat-csv.c tests/tools/tracecmd-count.c)))

# The guest of the live tests, and its VMM: x86-64 machine code, KVM's own interface.
LIVE_SRCS := $(if $(filter x86_64,$(shell uname -m)),tests/live/vmm.c tests/live/patterns.c tests/live/words.c \
	calibrate/die.c calibrate/guest.c calibrate/vm.c)
VMM := $(if $(LIVE_SRCS),$(BUILD)/tests/vmm)
# The same with a helper beside it, and the plugins that say what that touches.
DUO_SRCS := $(if $(LIVE_SRCS),tests/live/duo.c tests/live/duo-patterns.c tests/live/words.c tests/live/duo-list.c \
	tests/live/counters.c calibrate/die.c calibrate/guest.c calibrate/machine.c calibrate/vm.c)
DUO := $(if $(DUO_SRCS),$(BUILD)/tests/duo)
# Fuzz targets: with driver.c each takes files (a part of the tests), with FUZZER=1 libFuzzer is in them.
FUZZ_TARGETS := costs trace $(if $(RECORD_LIB),cmdline perfdata tracedat)
FUZZ_SRCS := tests/fuzz/fuzz.c tests/fuzz/mutate.c $(if $(FUZZER),,tests/fuzz/driver.c)
FUZZ := $(patsubst %,$(BUILD)/tests/fuzz/%,$(FUZZ_TARGETS))
# gcc says so by itself, clang 14 does not.
FUZZ_CFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-D__SANITIZE_ADDRESS__=1
DUO_PLUGINS := $(if $(DUO_SRCS),$(patsubst %,$(BUILD)/tests/asks_%.so,window nextline stride prefault) \
	$(BUILD)/tests/given.so)

all: programs
	$(if $(HAVE_RECORD),,@echo 'spht-record is not built: no $(RECORD_PKGS) here (scripts/deps installs them)')

programs: $(PROGRAMS)

# What lets calls of the programs fail: for LD_PRELOAD, and made of registers of x86-64.
FAULT := $(if $(filter x86_64,$(shell uname -m)),$(BUILD)/tests/fault.so)

tools: $(TOOLS) $(RECORD_TOOLS) $(FAULT) $(VMM) $(DUO) $(DUO_PLUGINS) $(FUZZ)

unit: $(UNIT_RUN)

# A name before a page of errors about missing headers.
have-libs:
	@command -v $(PKG_CONFIG) >/dev/null || \
		{ echo '$(PKG_CONFIG) is missing; scripts/deps installs what spht needs' >&2; exit 1; }
	@$(PKG_CONFIG) --print-errors --exists $(PKGS) $(HEADER_PKGS) || \
		{ echo 'scripts/deps installs what spht needs' >&2; exit 1; }

# Files whose text changes only when what they say changes, so that nothing is rebuilt in vain.
define update
	@mkdir -p $(@D)
	@printf '%s\n' $(1) >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
endef

# A comma that is no end of an argument.
, := ,
quote = '$(subst ','\'',$(1))'

$(BUILD)/version.h: FORCE
	$(call update,'#define SPHT_VERSION "$(VERSION)"' '#define SPHT_GIT_COMMIT "$(GIT_COMMIT)"')

# Another compiler or other flags: every object is stale.
$(BUILD)/flags: FORCE
	$(call update,$(call quote,$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(LDFLAGS)))

# A heuristic that was removed leaves no newer file behind, but a shorter list.
$(BUILD)/heuristics/list: FORCE
	$(call update,$(HEURISTIC_SRCS))

$(BUILD)/heuristics/table.c: scripts/gen-heuristics $(BUILD)/heuristics/list
	@echo '  GEN   $@'
	$(Q)scripts/gen-heuristics $(HEURISTIC_SRCS) >$@

$(BUILD)/replay/costs-default.c: scripts/gen-costs replay/costs/default.json
	@echo '  GEN   $@'
	@mkdir -p $(@D)
	$(Q)scripts/gen-costs replay/costs/default.json >$@

define compile
	@echo '  CC    $<'
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c $< -o $@
endef

# version.h must exist before the first compilation; who includes it is known afterwards.
$(BUILD)/%.o: %.c $(BUILD)/flags | have-libs $(BUILD)/version.h
	$(compile)

$(BUILD)/%.o: $(BUILD)/%.c $(BUILD)/flags | have-libs $(BUILD)/version.h
	$(compile)

# For the kernel's BPF: of no use to gcc, and not linked but embedded.
$(SNAP_OBJECT): collector/snap.bpf.c collector/snap-wire.h $(BUILD)/flags
	@echo '  BPF   $<'
	@mkdir -p $(@D)
	$(Q)$(CLANG) -O2 -g -target bpf -ffile-prefix-map=$(CURDIR)=. -ffreestanding -Wall -Wextra -Wno-unused-parameter $(if $(WERROR),-Werror) \
		-I/usr/include/$(shell $(CC) -print-multiarch) -c $< -o $@

$(if $(HAVE_SNAP),$(BUILD)/collector/snap-program.o: $(SNAP_OBJECT))

$(call objs,$(RECORD_SRCS)): EXTRA_CFLAGS = $(RECORD_CFLAGS)
$(call objs,$(UNIT_PLAIN) $(UNIT_LIB_SRCS)): EXTRA_CFLAGS = $(TEST_CFLAGS)
$(call objs,$(UNIT_RECORD)): EXTRA_CFLAGS = $(TEST_CFLAGS) $(RECORD_CFLAGS)
$(patsubst $(BUILD)/tests/%,$(BUILD)/tests/tools/%.o,$(RECORD_TOOLS)): EXTRA_CFLAGS = $(RECORD_CFLAGS)

define archive
	@echo '  AR    $@'
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
endef

$(BUILD)/libtraces.a: $(call objs,$(TRACES_SRCS))
	$(archive)

# One archive: the replayer asks for the table, the table for the heuristics.
$(BUILD)/libreplay.a: $(call objs,$(REPLAY_LIB_SRCS) $(HEURISTIC_SRCS)) \
		$(BUILD)/heuristics/table.o $(BUILD)/replay/costs-default.o
	$(archive)

# Holds main() too; a unit test, which has its own, does not pull that object in as long as
# the file of main() defines nothing else that is not static.
$(BUILD)/libcollector.a: $(call objs,$(RECORD_SRCS))
	$(archive)

# What is listed and not used leaves no trace in `ldd`.
define link
	@echo '  LD    $@'
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $(filter %.o,$^) $(filter %.a,$^) $(EXTRA_LIBS) \
		$(PKG_LIBS) -lm $(LDLIBS)
endef

$(BUILD)/spht-trace: $(call objs,$(TRACE_TOOL_SRCS)) $(TRACES_LIB)
	$(link)

$(BUILD)/spht-replay: $(call objs,$(REPLAY_SRCS)) $(REPLAY_LIB) $(TRACES_LIB)
	$(link)

# Asks the replayer's library for the built-in profile; never the other way round.
$(BUILD)/spht-calibrate: $(call objs,$(CALIBRATE_SRCS)) $(REPLAY_LIB) $(TRACES_LIB)
	$(link)

$(BUILD)/spht-record: EXTRA_LIBS = $(RECORD_LIBS)
$(BUILD)/spht-record: $(call objs,$(RECORD_SRCS)) $(TRACES_LIB)
	$(link)

$(TOOLS) $(RECORD_TOOLS): $(BUILD)/tests/%: $(BUILD)/tests/tools/%.o $(TRACES_LIB)
	$(link)
$(RECORD_TOOLS): EXTRA_LIBS = $(RECORD_LIBS)
$(BUILD)/tests/profilecut: $(BUILD)/collector/profile.o

$(VMM): $(call objs,$(LIVE_SRCS))
	$(link)

$(DUO): $(call objs,$(DUO_SRCS))
	$(link)

# A program as a function of a fuzz target.
$(BUILD)/tests/fuzz/spht-trace-main.o: traces/spht-trace.c $(BUILD)/flags | have-libs $(BUILD)/version.h
	$(compile)
$(BUILD)/tests/fuzz/spht-trace-main.o: EXTRA_CFLAGS = -Dmain=spht_trace_main -Wno-missing-prototypes
$(BUILD)/tests/fuzz/spht-replay-main.o: replay/spht-replay.c $(BUILD)/flags | have-libs $(BUILD)/version.h
	$(compile)
$(BUILD)/tests/fuzz/spht-replay-main.o: EXTRA_CFLAGS = -Dmain=spht_replay_main -Wno-missing-prototypes

FUZZ_IMPORTS := $(BUILD)/tests/fuzz/perfdata $(BUILD)/tests/fuzz/tracedat
$(filter-out %/costs,$(FUZZ)): $(BUILD)/tests/fuzz/spht-trace-main.o \
	$(call objs,$(filter-out traces/spht-trace.c,$(TRACE_TOOL_SRCS)))
$(BUILD)/tests/fuzz/trace $(BUILD)/tests/fuzz/cmdline: $(BUILD)/tests/fuzz/spht-replay-main.o \
	$(call objs,$(filter-out replay/spht-replay.c,$(REPLAY_SRCS)))
$(FUZZ_IMPORTS): $(call objs,tests/fuzz/import.c)
$(BUILD)/tests/fuzz/perfdata: $(call objs,tests/fuzz/perfdata-mutate.c)
$(BUILD)/tests/fuzz/trace: $(call objs,tests/fuzz/trace-mutate.c tests/fuzz/image.c)
$(FUZZ): %: %.o $(call objs,$(FUZZ_SRCS)) $(RECORD_LIB) $(REPLAY_LIB) $(TRACES_LIB)
	$(link)
$(FUZZ): EXTRA_LIBS = $(if $(FUZZER),-fsanitize=fuzzer) $(RECORD_LIBS) $(FUZZ_WRAP)
$(FUZZ_IMPORTS): FUZZ_WRAP = -Wl,--wrap=spht_child_start,--wrap=spht_child_end
$(BUILD)/tests/fuzz/cmdline: FUZZ_WRAP = $(patsubst %,-Wl$(,)--wrap=%,exit open open64 fopen fopen64 dlopen unlink \
	rename execl mkostemp mkostemp64 spht_specs_add spht_specs_close)

define plugin
	@echo '  LD    $@'
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Iheuristics -fPIC -shared $(LDFLAGS) -o $@ $(EXTRA_CFLAGS) $<
endef

$(BUILD)/tests/asks_%.so: tests/live/asks.c heuristics/%.c heuristics/heuristic.h $(BUILD)/flags
	$(plugin)
$(BUILD)/tests/asks_%.so: EXTRA_CFLAGS = -DASKS=$* '-DASKS_FILE="heuristics/$*.c"'

# Never with a sanitizer's flags: it has an allocator of its own, and is not tried.
$(BUILD)/tests/fault.so: tests/tools/fault.c $(BUILD)/flags
	@echo '  LD    $@'
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -fPIC -shared -o $@ $<

$(BUILD)/tests/given.so: tests/live/given.c heuristics/heuristic.h $(BUILD)/flags
	$(plugin)

$(patsubst %.c,$(BUILD)/%,$(UNIT_PLAIN)): EXTRA_LIBS = $(TEST_LIBS)
$(patsubst %.c,$(BUILD)/%,$(UNIT_PLAIN)): %: %.o $(call objs,$(UNIT_LIB_SRCS)) $(REPLAY_LIB) $(TRACES_LIB)
	$(link)

$(BUILD)/tests/unit/test_calibrate: $(call objs,calibrate/die.c calibrate/profile.c \
	calibrate/stats.c)

$(patsubst %.c,$(BUILD)/%,$(UNIT_RECORD)): EXTRA_LIBS = $(TEST_LIBS) $(RECORD_LIBS)
$(patsubst %.c,$(BUILD)/%,$(UNIT_RECORD)): %: %.o $(call objs,$(UNIT_LIB_SRCS)) \
		$(RECORD_LIB) $(REPLAY_LIB) $(TRACES_LIB)
	$(link)

# demo and check set up first.  The second make reads pkg-config anew, after the
# packages have come; it uses every core unless told otherwise.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))

demo:
	@$(DEPS)
	@$(MAKE) $(JOBS) demo-run

check:
	@$(DEPS)
	@$(MAKE) $(JOBS) check-run

# The same without a set-up, for who knows that all is there.
DEMO_TRACE := traces/samples/kbuild-w8-1vcpu.spht
demo-run: all
	$(BUILD)/spht-replay --heuristic=stride --heuristic=window --csv=demo.csv $(DEMO_TRACE)
	@echo 'demo.csv has the same figures, one row for each heuristic'

check-run: all tools unit
	@BUILD='$(BUILD)' UNIT_RUN='$(UNIT_RUN)' python3 tests/run $(TESTS)

# Recordings of this machine, which skip where it cannot be recorded; a part of `check`.
check-live:
	@$(MAKE) check TESTS=live/

# Five minutes at most, all measured with two idle CPUs; VALIDATE='--help' for less of it.
validate: all tools
	@BUILD='$(BUILD)' tests/live/validate $(VALIDATE)

# The nested lab: builds its guests and records one; minutes, root, Debian packages.
lab: all
	@BUILD='$(BUILD)' scripts/lab/record -o lab.spht $(LAB)

check-lab: all tools
	@BUILD='$(BUILD)' scripts/lab/check

check-asan:
	@SPHT_SANITIZED=1 $(MAKE) BUILD=$(BUILD)/asan LDFLAGS= \
		CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all' \
		check

# Where threads share something, and what runs on each of them.  Its clock is slow: nothing there
# is held against time.
TSAN_TESTS := unit/test_real unit/test_cpus unit/test_steps unit/test_whatif_books unit/test_whatif_watch
check-tsan:
	@SPHT_SANITIZED=1 $(MAKE) BUILD=$(BUILD)/tsan LDFLAGS= \
		CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=thread' \
		UNIT_TESTS='$(patsubst %,tests/%.c,$(TSAN_TESTS))' \
		TESTS='$(TSAN_TESTS) cli/replay-real cli/threads' check-some

# Every call, minutes; FAULTS='--sites NAME...' for less of it.
check-faults: programs tools
	@BUILD='$(BUILD)' tests/faults $(or $(FAULTS),--all)

# With coverage, address and undefined behaviour checked; tests/fuzz/run runs them.
fuzz:
	@$(MAKE) BUILD=$(BUILD)/fuzz FUZZER=1 CC=$(CLANG) LDFLAGS= CFLAGS='-O1 -g $(FUZZ_CFLAGS) \
		-fsanitize=fuzzer-no-link' fuzzers

fuzzers: $(FUZZ)

# A minute of CPU; VALGRIND='NAME...' for less of it.
check-valgrind: programs tools unit
	@BUILD='$(BUILD)' tests/valgrind $(VALGRIND)

# More than 4 GiB in DIR, and three times as much of a temporary file; HUGE='--events=1e8' for less.
check-huge: programs tools
	@BUILD='$(BUILD)' tests/huge $(HUGE)

check-some: programs tools unit
	@BUILD='$(BUILD)' UNIT_RUN='$(UNIT_RUN)' python3 tests/run $(TESTS)

# About two minutes, and no part of `check`: it builds a copy, and again for every rule.
check-mutations:
	@tests/mutate $(MUTATIONS)

# Root, debootstrap and a mirror; no part of `check`.
check-package: programs
	@BUILD='$(BUILD)' tests/package/run $(if $(FULL),--full)

format-check:
	@scripts/format-check $(CLANG_FORMAT)

bench: all tools
	@BUILD='$(BUILD)' scripts/bench $(BENCH)

TABLES ?= fidelity $(wildcard traces/samples/*.spht)
tables: programs
	@BUILD='$(BUILD)' scripts/tables $(TABLES)

# The cut kbuild-cc-1vcpu has no marks and is of another workload.
validation:
	@scripts/validation --output=docs/validation.md

RESULTS = $(if $(RECORDINGS),--full --output=docs/results-full.md $(RECORDINGS),\
	--output=docs/results.md --figures=docs/figures $(wildcard traces/samples/kbuild-w*.spht))
results: programs
	@BUILD='$(BUILD)' scripts/results $(RESULTS)

# Builds what it needs itself, and says how long each step took.
artifact:
	+@BUILD='$(BUILD)' MAKE='$(MAKE)' scripts/artifact $(ARTIFACT)

clock: programs
	$(if $(CLOCK),@BUILD='$(BUILD)' scripts/clock measure $(CLOCK))
	@scripts/clock table

include install.mk

# Only a folder that this Makefile filled.
clean:
	@test ! -e $(BUILD)/flags || rm -rf $(BUILD)
	@test '$(BUILD)' != build || rm -f demo.csv

FORCE:
.PHONY: all programs tools unit have-libs demo demo-run check check-run check-live check-asan \
	check-tsan check-faults check-valgrind check-huge check-some fuzz fuzzers clock validate \
	check-mutations check-package format-check lab check-lab bench tables results artifact validation clean \
	FORCE

-include $(patsubst %.c,$(BUILD)/%.d,$(TRACES_SRCS) $(TRACE_TOOL_SRCS) $(REPLAY_LIB_SRCS) \
	$(REPLAY_SRCS) $(CALIBRATE_SRCS) $(RECORD_SRCS) $(HEURISTIC_SRCS) $(UNIT_TESTS) $(UNIT_LIB_SRCS) \
	$(LIVE_SRCS) $(DUO_SRCS) $(wildcard tests/tools/*.c tests/fuzz/*.c)) \
	$(BUILD)/heuristics/table.d $(BUILD)/replay/costs-default.d
