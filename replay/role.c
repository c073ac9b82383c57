// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "replay/role.h"

static const struct spht_role_layout layouts[] = {
	{"2.6.32", 4, 16, 17, 3, 20, 1, 2, 4, 0},
	{"5.10-6.18", 0, 7, 8, 3, 11, 1, 2, 4, 17},
	{"7.2", 0, 7, 8, 4, 12, 8, 2, 4, 17},
};

const struct spht_role_layout *spht_role_layout(const char *release, struct spht_error *err)
{
	unsigned int major = 0, minor = 0, patch = 0, v;

	if (!release || sscanf(release, "%u.%u.%u", &major, &minor, &patch) < 2) {
		spht_error_set(
			err, "the trace does not say which host kernel recorded it, so role words "
			     "cannot be decoded; import with --set host.kernel=RELEASE");
		return NULL;
	}
	v = major * 1000 + minor;
	if (v == 2006 && patch == 32)
		return &layouts[0];
	if (v >= 5010 && v <= 6018)
		return &layouts[1];
	if (v == 7002)
		return &layouts[2];
	spht_error_set(err,
		       "no role layout is known for host kernel %s; known are 2.6.32, 5.10 to 6.18 "
		       "and 7.2",
		       release);
	return NULL;
}

#define IN_HEADER  "role layout in the header: "
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* A field of the header's list. */
struct field {
	const char *name;
	uint8_t offset, bits;
};

static const char *const needed[] = {"level", "direct", "access", "invalid"};

static int read_field(const json_t *j, struct field *f, struct spht_error *err)
{
	const json_t *offset = json_object_get(j, "offset"), *bits = json_object_get(j, "bits");

	f->name = json_string_value(json_object_get(j, "name"));
	if (!f->name || !*f->name || f->name[strspn(f->name, NAME_CHARS)] ||
	    !json_is_integer(offset) || !json_is_integer(bits)) {
		spht_error_set(err, IN_HEADER "each field needs a name, an offset and its bits");
		return -1;
	}
	if (json_integer_value(offset) < 0 || json_integer_value(offset) > 31 ||
	    json_integer_value(bits) < 1 ||
	    json_integer_value(bits) > 32 - json_integer_value(offset)) {
		spht_error_set(err,
			       IN_HEADER "the field %.40s, %" JSON_INTEGER_FORMAT
					 " bits from bit %" JSON_INTEGER_FORMAT
					 " on, is not in a word of 32",
			       f->name, json_integer_value(bits), json_integer_value(offset));
		return -1;
	}
	f->offset = (uint8_t)json_integer_value(offset);
	f->bits = (uint8_t)json_integer_value(bits);
	return 0;
}

/* What the name means to us.  False for a width that has no known meaning. */
static bool use_field(const struct field *f, struct spht_role_layout *l)
{
	if (!strcmp(f->name, "level")) {
		l->level_shift = f->offset;
		return f->bits == 4;
	}
	if (!strcmp(f->name, "access")) {
		bool has_read = f->bits == 4;

		/* ACC_*_MASK of mmu.h: a read bit of its own came with new places for the others. */
		l->access_shift = f->offset;
		l->access_bits = f->bits;
		l->acc_x = has_read ? 8 : 1;
		l->acc_w = 2;
		l->acc_u = 4;
		return has_read || f->bits == 3;
	}
	if (!strcmp(f->name, "direct")) {
		l->direct_bit = f->offset;
		return f->bits == 1;
	}
	if (!strcmp(f->name, "invalid")) {
		l->invalid_bit = f->offset;
		return f->bits == 1;
	}
	if (!strcmp(f->name, "guest_mode")) {
		l->guest_mode_bit = f->offset;
		/* 0 stands for "none"; no kernel has it there. */
		return f->bits == 1 && f->offset;
	}
	return true;
}

/* @used: the bits that are taken; @found: which of the needed fields were there. */
static int add_field(const struct field *f, struct spht_role_layout *l, uint32_t *used,
		     unsigned int *found, struct spht_error *err)
{
	uint32_t mask = (uint32_t)((1ull << f->bits) - 1) << f->offset;

	if (*used & mask) {
		spht_error_set(err, IN_HEADER "the field %.40s lies on another one", f->name);
		return -1;
	}
	*used |= mask;
	if (!use_field(f, l)) {
		spht_error_set(err,
			       IN_HEADER "the field %.40s has %u bits from bit %u on, which this "
					 "version does not understand",
			       f->name, f->bits, f->offset);
		return -1;
	}
	for (unsigned int i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (strcmp(f->name, needed[i]))
			continue;
		if (*found >> i & 1) {
			spht_error_set(err, IN_HEADER "the field %s is there twice", f->name);
			return -1;
		}
		*found |= 1u << i;
	}
	return 0;
}

int spht_role_from_json(const json_t *fields, struct spht_role_layout *layout,
			struct spht_error *err)
{
	unsigned int found = 0;
	uint32_t used = 0;
	struct field f;

	memset(layout, 0, sizeof(*layout));
	layout->kernels = "the header's";
	if (!json_is_array(fields)) {
		spht_error_set(err, IN_HEADER "a list of fields is expected");
		return -1;
	}
	for (size_t i = 0; i < json_array_size(fields); i++)
		if (read_field(json_array_get(fields, i), &f, err) ||
		    add_field(&f, layout, &used, &found, err))
			return -1;
	for (unsigned int i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (found >> i & 1)
			continue;
		spht_error_set(err, IN_HEADER "it has no field %s", needed[i]);
		return -1;
	}
	return 0;
}
