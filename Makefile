# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make            build spht-trace, spht-replay and, where its libraries are, spht-record
# make demo       set up, build, replay the bundled recording to a CSV
# make check      set up, build, run all tests
# make check-asan the same tests under AddressSanitizer and UBSan
# make bench      sizes and speeds against trace-cmd and libtracecmd
#
# V=1 shows commands, BUILD=dir builds elsewhere, DESTDIR/prefix as usual.

PKG_CONFIG ?= pkg-config
CC ?= gcc
BUILD ?= build
prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
CFLAGS ?= -O2 -g
Q := $(if $(filter 1,$(V)),,@)

# What every program needs, and what only the collector and the tests need.
PKGS := libzstd jansson
RECORD_PKGS := libtracecmd libtracefs libtraceevent
TEST_PKGS := cmocka

VERSION := 0.1.0
GIT_COMMIT := $(shell git -C $(CURDIR) describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)

override CFLAGS += -std=gnu11 -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Wmissing-prototypes \
	-Wstrict-prototypes -pthread $(if $(WERROR),-Werror)
override CPPFLAGS += -I. -Itraces -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))

TRACES_SRCS := traces/error.c traces/events.c
TRACE_TOOL_SRCS :=
REPLAY_LIB_SRCS :=
REPLAY_SRCS :=
RECORD_SRCS :=
# The one place that globs: a heuristic is built in by being in the folder.
HEURISTIC_SRCS := $(sort $(wildcard heuristics/*.c))

UNIT_TESTS :=
HAVE_RECORD := $(shell $(PKG_CONFIG) --exists $(RECORD_PKGS) 2>/dev/null && echo yes)
