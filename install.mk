# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make install, install-headers, uninstall: what goes where.  All lists are explicit.
# DESTDIR and prefix as usual.  MANIFEST=: keeps no list for uninstall, for packages.

libdir ?= $(prefix)/lib
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
docdir ?= $(datarootdir)/doc/spht
pkgdatadir ?= $(datarootdir)/spht
pkgconfigdir ?= $(datarootdir)/pkgconfig
# bash looks here for the completion of a command, by its name.
completionsdir ?= $(datarootdir)/bash-completion/completions
# Where plugins for all users of a machine go; spht-replay takes them by their path.
plugindir ?= $(libdir)/spht/heuristics
MANIFEST ?= $(pkgdatadir)/install.list
# Some megabytes each: the one of the README.  SAMPLES='traces/samples/*.spht' for all.
SAMPLES ?= traces/samples/kbuild-w8-1vcpu.spht

# scripts/X is installed as spht-X; those whose file is not there yet are left out.
USER_SCRIPTS := $(notdir $(wildcard scripts/sweep scripts/stats scripts/tables scripts/windows \
	scripts/plot scripts/report))
SCRIPT_MODULES := $(wildcard scripts/programs.py scripts/wholefile.py)
SCRIPT_PACKAGES := $(notdir $(patsubst %/__init__.py,%,$(wildcard scripts/statlib/__init__.py \
	scripts/sweeplib/__init__.py scripts/plotlib/__init__.py scripts/reportlib/__init__.py)))
COST_PROFILES := replay/costs/default.json replay/costs/kvm_pvm-6.18-epyc.json
MAN1 := docs/spht-trace.1 docs/spht-replay.1 docs/spht-record.1 docs/spht-calibrate.1 \
	docs/spht-sweep.1 docs/spht-stats.1 docs/spht-tables.1 docs/spht-windows.1 docs/spht-plot.1 \
	docs/spht-report.1
MAN5 := docs/spht-trace.5
DOCS := $(addprefix docs/,bench.md clock.md costs.md evidence.md figures.md hardening.md heuristics.md install.md \
	limits.md metrics.md model.md report-text.md report.md reproduce.md results.md results-full.md \
	statistics.md sweep.md timeline.md trace-format.md validation.md)
FIGURES := $(sort $(wildcard docs/figures/*.svg))
EXAMPLES := examples/lastdelta/lastdelta.c examples/lastdelta/Makefile
# One file, which bash finds by each of these names.
COMPLETION := scripts/completion.bash
COMPLETED := spht-replay spht-trace spht-record spht-calibrate $(addprefix spht-,$(USER_SCRIPTS))

# Where they are installed the scripts have other names, also in their own help.
SCRIPT_NAMES := $(shell echo '$(USER_SCRIPTS)' | sed 's/ /\\|/g')
STAGED := $(BUILD)/installed
STAGED_SCRIPTS := $(addprefix $(STAGED)/scripts/,$(USER_SCRIPTS))
STAGED_MODULES := $(patsubst scripts/%,$(STAGED)/scripts/%,$(SCRIPT_MODULES) \
	$(foreach p,$(SCRIPT_PACKAGES),$(sort $(wildcard scripts/$(p)/*.py))))

$(STAGED)/scripts/%: scripts/% install.mk
	@mkdir -p $(@D)
	$(Q)sed -e '1s,^#!/usr/bin/env python3,#!/usr/bin/python3,' \
		-e 's,\<scripts/\($(SCRIPT_NAMES)\)\>,spht-\1,g' $< >$@

# Links to what only the sources have become words.
STAGED_README := $(STAGED)/README.md
STAGED_DOCS := $(addprefix $(STAGED)/,$(DOCS))

$(STAGED_README) $(STAGED_DOCS): $(STAGED)/%: % install.mk scripts/installed-page
	@mkdir -p $(@D)
	$(Q)scripts/installed-page $< README.md LICENSE $(DOCS) $(FIGURES) $(EXAMPLES) >$@

comma := ,
define newline


endef

ABI := $(shell sed -n 's/^\#define SPHT_HEURISTIC_ABI \([0-9]*\)$$/\1/p' heuristics/heuristic.h)

# What is below prefix is told by it, so that pkg-config --define-prefix and users can move it.
under_prefix = $(patsubst $(prefix)/%,$${prefix}/%,$(1))

$(BUILD)/spht.pc: FORCE
	$(call update,'prefix=$(prefix)' 'includedir=$(call under_prefix,$(includedir))' \
		'plugindir=$(call under_prefix,$(plugindir))' 'abi=$(ABI)' '' 'Name: spht' \
		'Description: Headers of heuristics for spht-replay$(comma) as plugins' \
		'Version: $(VERSION)' 'Cflags: -I$${includedir}')

put = $(Q)DESTDIR='$(DESTDIR)' MANIFEST='$(MANIFEST)' INSTALL='$(INSTALL)' scripts/install-files

install: all $(STAGED_SCRIPTS) $(STAGED_MODULES) $(STAGED_README) $(STAGED_DOCS) install-headers
	$(put) 0755 '$(bindir)' $(PROGRAMS)
	$(put) 0755 '$(pkgdatadir)/scripts' $(STAGED_SCRIPTS)
	$(put) 0644 '$(pkgdatadir)/scripts' $(filter $(addprefix $(STAGED)/,$(SCRIPT_MODULES)),$(STAGED_MODULES))
	$(foreach p,$(SCRIPT_PACKAGES),$(put) 0644 '$(pkgdatadir)/scripts/$(p)' \
		$(filter $(STAGED)/scripts/$(p)/%,$(STAGED_MODULES))$(newline))
	$(foreach s,$(USER_SCRIPTS),$(put) link '$(bindir)/spht-$(s)' '$(pkgdatadir)/scripts/$(s)'$(newline))
	$(put) 0644 '$(pkgdatadir)/samples' $(SAMPLES) traces/samples/README.md
	$(put) 0644 '$(pkgdatadir)/costs' $(COST_PROFILES)
	$(put) 0644 '$(mandir)/man1' $(MAN1)
	$(put) 0644 '$(mandir)/man5' $(MAN5)
	$(put) 0644 '$(docdir)' $(STAGED_README) LICENSE
	$(put) 0644 '$(docdir)/docs' $(STAGED_DOCS)
	$(put) 0644 '$(docdir)/docs/figures' $(FIGURES)
	$(put) 0644 '$(docdir)/examples/lastdelta' $(EXAMPLES)
	$(put) 0644 '$(pkgdatadir)' $(COMPLETION)
	$(foreach c,$(COMPLETED),$(put) link '$(completionsdir)/$(c)' '$(pkgdatadir)/$(notdir $(COMPLETION))'$(newline))
	@echo 'installed below $(DESTDIR)$(prefix)'

# All that a plugin needs to be compiled; builds no program.
install-headers: $(BUILD)/spht.pc
	$(put) 0644 '$(includedir)/spht' $(PUBLIC_HEADERS)
	$(put) 0644 '$(pkgconfigdir)' $(BUILD)/spht.pc
	$(put) folder '$(plugindir)'

uninstall:
	$(put) remove

.PHONY: install install-headers uninstall
