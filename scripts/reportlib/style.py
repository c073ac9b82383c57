# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a page looks: on a screen by day and by night, on a telephone, on paper."""

from plotlib.script import BLUE, ORANGE, RED, SKY

CSS = """
:root {
	color-scheme: light dark;
	--ink: #1a1a1a; --soft: #595959; --line: #d4d4d4; --ground: #ffffff; --panel: #f5f5f3;
	--link: #00598f; --bad: %(RED)s; --warn: %(ORANGE)s; --note: %(BLUE)s;
	--bad-ground: #fdece2; --warn-ground: #fff6e0; --note-ground: #e8f2f9;
}
@media screen and (prefers-color-scheme: dark) {
	:root {
		--ink: #e6e6e6; --soft: #ababab; --line: #444444; --ground: #16181a; --panel: #212427;
		--link: %(SKY)s; --bad-ground: #3d2112; --warn-ground: #362a0b; --note-ground: #10283a;
		--note: %(SKY)s;
	}
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%%; scroll-behavior: auto; }
body {
	margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem;
	font: 1rem/1.5 system-ui, "Liberation Sans", Arial, sans-serif;
	color: var(--ink); background: var(--ground); overflow-wrap: anywhere;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem;
	border-bottom: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p, li, dd { max-width: 46rem; }
a { color: var(--link); }
a.term { text-decoration-style: dotted; text-underline-offset: .15em; color: inherit; }
a:focus-visible, .scroll:focus-visible, summary:focus-visible { outline: 3px solid var(--note); }
code, pre { font-family: ui-monospace, "Liberation Mono", monospace; font-size: .875em; }
.under { color: var(--soft); margin: 0; max-width: none; }
.verdict { font-size: 1.15rem; padding: 1rem 1.25rem; margin: 1rem 0; max-width: none;
	background: var(--panel); border-left: .4rem solid var(--note); }
.doubtful .verdict { border-left-color: var(--bad); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; }
.warnings { list-style: none; padding: 0; }
.warnings li { padding: .5rem .75rem; margin: .4rem 0; max-width: none;
	border-left: .4rem solid; }
.warnings .bad { border-color: var(--bad); background: var(--bad-ground); font-size: 1.1rem; }
.warnings .warn { border-color: var(--warn); background: var(--warn-ground); }
.warnings .note { border-color: var(--note); background: var(--note-ground); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { padding: .3rem .6rem; text-align: right; vertical-align: top;
	border-bottom: 1px solid var(--line); overflow-wrap: normal; }
td { white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; min-width: 8rem; }
thead th { vertical-align: bottom; border-bottom: 2px solid var(--soft); }
tbody th { font-weight: 400; }
tfoot th, tfoot td { font-weight: 600; border-top: 2px solid var(--soft); }
.name { font-weight: 600; display: block; }
.params { color: var(--soft); font-size: .8rem; display: block; max-width: 15rem;
	overflow-wrap: anywhere; }
.bounds { color: var(--soft); }
small { color: var(--soft); }
.pairs td, .told td:last-child, .classes td:nth-child(2) { white-space: normal; text-align: left;
	overflow-wrap: anywhere; }
.pairs td { min-width: 7rem; max-width: 48rem; }
.pairs thead th, .told thead th:last-child, .classes thead th:nth-child(2) { text-align: left; }
.pairs tbody th { font-weight: 600; }
.figures { columns: 3 20rem; column-gap: 1.5rem; }
figure { margin: 0 0 1.5rem; break-inside: avoid; }
figure h3 { margin-top: 0; }
.paper { background: #ffffff; border: 1px solid var(--line); padding: .5rem;
	overflow-x: auto; }
.paper svg { display: block; width: 100%%; height: auto; max-width: 46rem; margin: 0 auto; }
figcaption { font-size: .8rem; color: var(--soft); margin-top: .4rem; }
figcaption strong { color: var(--ink); display: block; font-weight: 400; font-size: .9rem; }
.of-latency, .of-speedup, .of-time { column-span: all; max-width: 50rem; margin-top: 1.5rem; }
pre { background: var(--panel); padding: .75rem; white-space: pre-wrap; }
pre code { display: block; font-size: .8125rem; padding-left: 2em; text-indent: -2em;
	margin-bottom: .4rem; }
dt { font-weight: 600; margin-top: .75rem; }
dd { margin-left: 0; }
:target { outline: 3px solid var(--note); outline-offset: 3px; }
summary { cursor: pointer; font-weight: 600; margin: 1rem 0 .5rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); color: var(--soft);
	font-size: .8rem; }
@media (max-width: 40rem) {
	body { padding: 1rem .75rem 3rem; }
	h1 { font-size: 1.35rem; }
	.verdict { font-size: 1.05rem; padding: .75rem; }
	/* Rather to be moved than too small to read. */
	.of-latency svg, .of-speedup svg, .of-time svg { width: 38rem; }
	th, td { padding: .3rem .4rem; }
	.summary thead th:first-child, .summary tbody th, .books thead th:first-child,
	.books tbody th, .books tfoot th { min-width: 6.5rem; max-width: 9rem; }
}
@media print {
	@page { size: A4; margin: 14mm 12mm; }
	:root { color-scheme: light; }
	body { max-width: none; padding: 0; font-size: 9.5pt; }
	h1 { font-size: 15pt; } h2 { font-size: 12pt; margin-top: 1.25rem; }
	h2, h3, caption { break-after: avoid; }
	nav { display: none; }
	a { color: inherit; text-decoration: none; }
	.scroll { overflow: visible; break-inside: avoid; }
	.scroll:has(.pairs) { break-inside: auto; }
	.summary .bounds { white-space: nowrap; }
	table { font-size: 7pt; width: 100%%; }
	th, td { padding: 1.5pt 3pt; }
	td { white-space: normal; }
	th:first-child { min-width: 0; }
	.params { font-size: 6pt; max-width: 8.5rem; }
	/* A sum stands where the table ends, not on each page. */
	tfoot { display: table-row-group; }
	tr, figure, .verdict, .warnings li { break-inside: avoid; }
	.figures { columns: 2; }
	.of-latency, .of-speedup, .of-time { max-width: none; }
	figcaption { font-size: 7pt; }
	figcaption strong { font-size: 8pt; }
	.verdict, .warnings li, .paper, pre { print-color-adjust: exact;
		-webkit-print-color-adjust: exact; }
	.verdict, .warnings .bad { font-size: 10.5pt; }
	pre code { font-size: 7pt; }
	summary { list-style: none; }
	details::details-content { content-visibility: visible; block-size: auto; }
}
""" % {"RED": RED, "ORANGE": ORANGE, "BLUE": BLUE, "SKY": SKY}
