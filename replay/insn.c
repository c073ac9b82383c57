// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/insn.h"

#define REX_W  8u

/* Which instructions of a ModRM group store, by its reg field. */
#define GROUP1 (1u << 1 | 1u << 4) /* or, and */
#define GROUP8 (1u << 5 | 1u << 7) /* bts, btc */
#define GROUP9 (1u << 1) /* cmpxchg8b, cmpxchg16b */
#define ALL    0xffu

struct prefixes {
	unsigned int len, rex;
	bool size16;
};

static struct prefixes skip_prefixes(const uint8_t *insn, bool long_mode)
{
	struct prefixes p = {0};

	for (; p.len < SPHT_INSN_MAX - 3; p.len++) {
		switch (insn[p.len]) {
		case 0x66:
			p.size16 = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0x67:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			break;
		default:
			/* A REX prefix counts where it stands last. */
			if (long_mode && (insn[p.len] & 0xf0) == 0x40)
				p.rex = insn[p.len++];
			return p;
		}
	}
	return p;
}

/* The reg fields of a one-byte opcode that store to a page table; *@byte: one byte. */
static unsigned int one_byte(uint8_t op, bool *byte)
{
	*byte = !(op & 1);
	switch (op) {
	case 0x08: /* or */
	case 0x09:
	case 0x20: /* and */
	case 0x21:
	case 0x86: /* xchg */
	case 0x87:
	case 0x88: /* mov */
	case 0x89:
	case 0xa2:
	case 0xa3:
	case 0xc6:
	case 0xc7:
		return ALL;
	case 0x80:
	case 0x81:
	case 0x83:
		return GROUP1;
	default:
		return 0;
	}
}

static unsigned int two_byte(uint8_t op, bool *byte)
{
	*byte = op == 0xb0;
	switch (op) {
	case 0xab: /* bts */
	case 0xbb: /* btc */
	case 0xb0: /* cmpxchg */
	case 0xb1:
		return ALL;
	case 0xba:
		return GROUP8;
	case 0xc7:
		return GROUP9;
	default:
		return 0;
	}
}

unsigned int spht_insn_table_store(const uint8_t *insn, uint32_t flags)
{
	bool long_mode = flags & SPHT_INSN_CS_L, byte = false, pair = false;
	struct prefixes p = skip_prefixes(insn, long_mode);
	unsigned int regs, size, at = p.len;

	if (insn[at] == 0x0f) {
		at++;
		regs = two_byte(insn[at], &byte);
		pair = insn[at] == 0xc7;
	} else if (insn[at] == 0x8c) {
		return 2; /* mov of a segment register */
	} else {
		regs = one_byte(insn[at], &byte);
	}
	if (!(regs >> (insn[at + 1] >> 3 & 7) & 1))
		return 0;
	if (byte)
		return 1;
	size = p.size16 ? 2 : flags & (SPHT_INSN_CS_L | SPHT_INSN_CS_D) ? 4 : 2;
	if (p.rex & REX_W)
		size = 8;
	return pair ? (p.rex & REX_W ? 16 : 8) : size;
}
