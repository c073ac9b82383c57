// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "replay/shadow.h"

int spht_shadow_init(struct spht_shadow *s, const struct spht_role_layout *layout)
{
	memset(s, 0, sizeof(*s));
	s->layout = layout;
	if (spht_idmap_init(&s->pages) || spht_idmap_init(&s->tables) ||
	    spht_idmap_init(&s->spaces) || spht_idmap_init(&s->regions) ||
	    spht_idmap_init(&s->paths)) {
		spht_shadow_close(s);
		return -1;
	}
	return 0;
}

void spht_shadow_close(struct spht_shadow *s)
{
	spht_idmap_close(&s->pages);
	spht_idmap_close(&s->tables);
	spht_idmap_close(&s->spaces);
	spht_idmap_close(&s->regions);
	spht_idmap_close(&s->paths);
}
