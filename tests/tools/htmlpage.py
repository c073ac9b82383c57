#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands on a page of scripts/report once a browser has rendered it.

usage: htmlpage.py facts DOM      what `chromium --dump-dom` printed, as lines: KEY TEXT
       htmlpage.py value DOM ID   the cells (data value=) inside the element of that id
       htmlpage.py row DOM CAPTION NAME   the cells of a table's row, empty ones as "-"
       htmlpage.py probe PAGE OUT WIDTH   two copies: OUT shows OUT.inside in a frame of that
                                  width, which measures itself: pre#probe is what it found
       htmlpage.py probed DOM     those lines
"""

import os
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr", "base", "embed", "source", "area", "wbr"}
LOADING = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"}

FRAME = """<!DOCTYPE html><meta charset="utf-8"><pre id="probe"></pre>
<iframe src="%s" style="border:0;width:%spx;height:900px"></iframe><script>
addEventListener('message', e => document.getElementById('probe').textContent = e.data);
</script>"""

PROBE = """<script>
addEventListener('load', () => setTimeout(() => {
	const all = [...document.querySelectorAll('body *')];
	const wide = document.documentElement.clientWidth;
	const inside = e => e.closest('.scroll, svg, details:not([open])');
	const said = [];
	said.push('width ' + wide);
	said.push('scrolls ' + document.documentElement.scrollWidth);
	said.push('beyond ' + all.filter(e => !inside(e) && e.getBoundingClientRect().right > wide + 1)
		.map(e => e.tagName + '.' + e.className).join(' '));
	said.push('figures ' + [...document.querySelectorAll('figure svg')].filter(e => {
		const r = e.getBoundingClientRect(); return r.width > 200 && r.height > 100; }).length);
	const ids = all.filter(e => e.id).map(e => e.id);
	said.push('twice ' + ids.filter((x, i) => ids.indexOf(x) !== i).join(' '));
	const links = all.flatMap(e => [e.getAttribute('href'), e.getAttribute('xlink:href'),
		...[...e.attributes].map(a => (a.value.match(/url\\((#[^)]*)\\)/) || [])[1])])
		.filter(h => h && h.startsWith('#'));
	said.push('links ' + links.length);
	said.push('nowhere ' + links.filter(h => !document.getElementById(h.slice(1))).join(' '));
	said.push('loaded ' + performance.getEntriesByType('resource').map(e => e.name).join(' '));
	const lum = c => { const v = c.map(x => x / 255).map(x => x <= .04045 ? x / 12.92 :
		((x + .055) / 1.055) ** 2.4); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
	const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number);
	const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e)
		.backgroundColor); if (c.length === 3 || c[3] === 1) return c; }
		return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255]; };
	const faint = new Set();
	for (const e of all) {
		if (e.closest('svg') || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
			continue;
		const a = lum(rgb(getComputedStyle(e).color).slice(0, 3)), b = lum(ground(e).slice(0, 3));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) faint.add(e.tagName + '.' + e.className + ':' + ratio.toFixed(2));
	}
	said.push('faint ' + [...faint].join(' '));
	said.push('dark ' + matchMedia('(prefers-color-scheme: dark)').matches);
	said.push('levels ' + [...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName[1]).join(''));
	said.push('unscoped ' + document.querySelectorAll('th:not([scope])').length);
	parent.postMessage(said.join('\\n'), '*');
}, 0));
</script>"""


class Page(HTMLParser):
    """Elements with their text, as a browser's own serialisation nests them."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "attrs": dict(attrs), "text": [], "data": [], "inside": []}
        for above in self.stack:
            above["inside"].append(element)
            if tag == "data":
                above["data"].append(element["attrs"].get("value"))
        self.elements.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        while self.stack:
            if self.stack.pop()["tag"] == tag:
                break

    def handle_data(self, data):
        for above in self.stack:
            above["text"].append(data)

    def by_id(self, name):
        return next((e for e in self.elements if e["attrs"].get("id") == name), None)


def text(element):
    return " ".join("".join(element["text"]).split())


def find(element, tag):
    return [e for e in element["inside"] if e["tag"] == tag]


def table(page, caption):
    for element in page.elements:
        if element["tag"] == "table" and text(find(element, "caption")[0]) == caption:
            return element
    sys.exit(f"no table has the caption {caption}")


def facts(page):
    count = {}
    for e in page.elements:
        count[e["tag"]] = count.get(e["tag"], 0) + 1
        if e["tag"] in ("title", "h1", "h2", "h3", "figcaption", "pre", "li", "details", "p"):
            yield e["tag"], text(e)
        if e["tag"] == "li" and e["attrs"].get("class"):
            yield "warning", f"{e['attrs']['class']} {text(e)}"
        if e["tag"] == "table":
            rows = find(find(e, "tbody")[0], "tr")
            yield "table", f"{len(rows)} {text(find(e, 'caption')[0])}"
        if e["tag"] == "meta":
            yield "meta", " ".join(f"{k}={v}" for k, v in e["attrs"].items())
        for name, value in e["attrs"].items():
            if name in LOADING and not (value or "").startswith("#"):
                yield "loads", f"{e['tag']} {name}={value}"
            if name.startswith("on"):
                yield "handler", f"{e['tag']} {name}={value}"
    for tag in sorted(count):
        yield "count", f"{tag} {count[tag]}"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def main(what, path, *rest):
    if what == "probe":
        page = read(path)
        policy = "default-src 'none'"
        if policy.replace("'", "&#x27;") in page:
            policy = policy.replace("'", "&#x27;")
        if policy not in page or "</body>" not in page:
            sys.exit("no policy or no end")
        page = page.replace(policy, "default-src * 'unsafe-inline'", 1)
        inside = rest[0].removesuffix(".html") + ".inside.html"
        with open(inside, "w", encoding="utf-8") as f:
            f.write(page.replace("</body>", PROBE + "</body>"))
        with open(rest[0], "w", encoding="utf-8") as f:
            f.write(FRAME % (os.path.basename(inside), int(rest[1])))
        return
    page = Page(read(path))
    if what == "facts":
        for key, said in facts(page):
            print(key, said)
    elif what == "probed":
        found = page.by_id("probe")
        print("".join(found["text"]) if found else "nothing")
    elif what == "value":
        element = page.by_id(rest[0])
        print(*(element["data"] if element else ["none"]))
    elif what == "row":
        for row in find(find(table(page, rest[0]), "tbody")[0], "tr"):
            head = find(row, "th")[0]
            if text((find(head, "span") or find(head, "code") or [head])[0]) == rest[1]:
                for cell in find(row, "td"):
                    print(*cell["data"] or [text(cell).replace("—", "-") or "-"])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
