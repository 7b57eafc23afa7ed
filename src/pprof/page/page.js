// SPDX-License-Identifier: MIT
// The live page. Texts of the program become text nodes, never HTML.
'use strict';
const KEPT = 120; // looks: about two minutes
// How many ms charts show: all there is, up to a minute.
const span = () => past.length ? Math.min(60e3, Math.max(10e3, latest.t - past[0].t)) : 10e3;
const AGES = ['< 1 s', '< 10 s', '< 1 min', '< 10 min', '< 1 h', 'longer'];
const $ = id => document.getElementById(id);
const past = []; // looks: {t, s, counts}
const rows = new Map(); // of groups, by id
const procs = new Map(); // of processors, by index
let paused = false, latest = null;

function el(tag, props, ...children) {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(props || {}))
		if (k.startsWith('aria-') || k === 'role') e.setAttribute(k, v); else e[k] = v;
	e.append(...children);
	return e;
}
// Writes only what changed: selections and screen readers stay where they are.
function put(e, text) { if (e.textContent !== text) e.textContent = text; }
const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ---- numbers in words ----
const count = n => Math.round(n).toLocaleString('en');
const short = n => n < 1e4 ? count(n) : n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + ' k' : (n / 1e6).toFixed(1) + ' M';
function bytes(n) {
	let unit = 0;
	for (; n >= 1024 && unit < 4; unit++) n /= 1024;
	return n.toFixed(unit && n < 100 ? 1 : 0) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit];
}
function time(ns) {
	if (ns < 1e3) return ns + ' ns';
	if (ns < 1e6) return (ns / 1e3).toFixed(ns < 1e4 ? 1 : 0) + ' µs';
	if (ns < 1e9) return (ns / 1e6).toFixed(ns < 1e7 ? 1 : 0) + ' ms';
	const s = ns / 1e9;
	if (s < 60) return s.toFixed(s < 10 ? 1 : 0) + ' s';
	if (s < 3600) return Math.floor(s / 60) + ' min ' + Math.floor(s % 60) + ' s';
	return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
}
const file = path => path.replace(/^.*\/(?=[^/]*\/[^/]*$)/, '');
const plural = (n, what) => count(n) + ' ' + what + (n === 1 ? '' : 's');

// ---- charts ----
function canvas2d(c) {
	const scale = window.devicePixelRatio || 1, w = c.clientWidth, h = c.clientHeight;
	if (c.width !== Math.round(w * scale) || c.height !== Math.round(h * scale)) {
		c.width = Math.round(w * scale);
		c.height = Math.round(h * scale);
	}
	const g = c.getContext('2d');
	g.setTransform(scale, 0, 0, scale, 0, 0);
	g.clearRect(0, 0, w, h);
	return [g, w, h];
}
// points: [[ms, value]]; from 0 up.
function spark(c, points, ink) {
	const [g, w, h] = canvas2d(c), now = latest.t;
	const most = Math.max(1e-9, ...points.map(p => p[1]));
	const shown = points.filter(p => p[0] >= now - span() * 1.05);
	if (!w || !shown.length) return;
	const x = t => w - (now - t) / span() * w, y = v => h - 2 - v / most * (h - 4);
	g.beginPath();
	shown.forEach((p, i) => i ? g.lineTo(x(p[0]), y(p[1])) : g.moveTo(x(p[0]), y(p[1])));
	g.strokeStyle = ink;
	g.lineWidth = 1.5;
	g.lineJoin = 'round';
	g.stroke();
	g.lineTo(x(shown[shown.length - 1][0]), h);
	g.lineTo(x(shown[0][0]), h);
	g.globalAlpha = .13;
	g.fillStyle = ink;
	g.fill();
	g.globalAlpha = 1;
}

// ---- tiles ----
const per = f => (a, b) => b ? Math.max(0, (f(a.s) - f(b.s)) / ((a.t - b.t) / 1e3)) : null;
const TILES = [
	['goroutines', a => a.s.stats.goroutines, count],
	['runnable', a => a.s.stats.runnable, count],
	['CPU, of one', per(s => s.cpu_ns / 1e7), v => v.toFixed(0) + ' %'],
	['memory', a => a.s.resident_bytes, bytes],
	['threads', a => a.s.stats.threads, count],
	['switches / s', per(s => s.stats.switches), short],
	['started / s', per(s => s.stats.created), short],
	['stolen / s', per(s => s.stats.stolen), short],
].map(([name, value, text]) => {
	const b = el('b'), c = el('canvas');
	$('tiles').append(el('div', {className: 'tile'}, el('span', {}, name), b, c));
	return {value, text, b, c};
});
function drawTiles() {
	for (const tile of TILES) {
		const points = past.map((p, i) => [p.t, tile.value(p, past[i - 1])]).filter(p => p[1] !== null);
		put(tile.b, points.length ? tile.text(points[points.length - 1][1]) : '–');
		spark(tile.c, points, color('--accent'));
	}
}

// ---- groups ----
function why(g) {
	switch (g.suspect) {
	case 'leaked': return `leaked: nothing that can still run knows what ${g.leaked < g.count ? `${count(g.leaked)} of these wait` : g.count > 1 ? 'these wait' : 'it waits'} for`;
	case 'grows': return `grows: from ${count(g.grew_from)} to ${count(g.count)} in ${time(g.grew_ns)}, and none of them goes on`;
	case 'never': return g.reason.startsWith('select') ? 'a select without cases never goes on' : 'a nil channel is never ready';
	case 'new': return `looks like a leak: ${count(g.young)} came in the last 5 s, and the older ones stay`;
	}
	return '';
}
function framesList(frames, more) {
	const list = el('ul', {className: 'frames'});
	for (const [name, path, line, runtime] of frames)
		list.append(el('li', runtime ? {className: 'rt'} : {}, name + ' ', el('span', {}, line ? file(path) + ':' + line : file(path))));
	if (more) list.append(el('li', {className: 'rt'}, `… ${plural(more, 'more frame')}`));
	return list;
}
async function showGoroutine(r, id, all) {
	const answer = await fetch(`/debug/goroutine?id=${id}${all ? '&all=1' : ''}`);
	r.text.textContent = answer.ok ? await answer.text() : `goroutine ${id} has ended`;
	r.text.hidden = false;
	for (const b of r.members.children) b.setAttribute('aria-pressed', b.dataset.id === String(id));
}
async function showMembers(r) {
	const answer = await fetch('/debug/goroutines.json?group=' + r.g.id);
	const found = await answer.json();
	r.members.replaceChildren(...found.goroutines.map(m => {
		const b = el('button', {type: 'button', title: [m.name, m.labels, 'for ' + time(m.age_ns)].filter(Boolean).join(' · '),
			onclick: e => showGoroutine(r, m.id, e.shiftKey)}, m.id + (m.name ? ' ' + m.name : ''));
		b.dataset.id = m.id;
		return b;
	}));
	put(r.membersHead, found.left_out ? `The ${found.goroutines.length} that have waited longest, of ${count(found.count)}` : 'Goroutines');
}
function makeDetail(r) {
	r.ages = el('div', {className: 'ages'});
	r.members = el('div', {className: 'members'});
	r.membersHead = el('h3', {}, 'Goroutines');
	r.text = el('pre', {hidden: true});
	r.facts = el('p', {className: 'dim'});
	const c = r.g.stack.creator;
	r.detail = el('div', {className: 'detail'},
		el('div', {}, el('h3', {}, 'Stack'), framesList(r.g.stack.frames, r.g.stack.frames_left_out),
			...(c ? [el('h3', {}, 'Created by'), framesList([c], 0)] : [])),
		el('div', {}, el('h3', {}, 'Waiting for'), r.ages, r.facts, r.membersHead, r.members), r.text);
	r.li.append(r.detail);
	showMembers(r).catch(() => {});
}
function fillDetail(r) {
	const most = Math.max(1, ...r.g.ages);
	r.ages.replaceChildren(...AGES.flatMap((name, i) => {
		const bar = el('i');
		bar.style.width = r.g.ages[i] / most * 100 + '%';
		return [el('span', {}, name), bar, el('span', {}, count(r.g.ages[i]))];
	}));
	put(r.facts, [r.g.name && `name “${r.g.name}”`, r.g.labels && `labels ${r.g.labels}`].filter(Boolean).join(', '));
}
function makeRow(g) {
	const r = {g, c: el('canvas'), count: el('span', {className: 'count'}), state: el('span', {className: 'state'}),
		age: el('span', {className: 'age'}), fn: el('span', {className: 'mono'}), where: el('span', {className: 'where'}),
		why: el('span', {className: 'why'})};
	r.button = el('button', {type: 'button', className: 'row', 'aria-expanded': 'false'}, r.count, r.c, r.state, r.age,
		el('span', {className: 'place'}, r.fn, r.where, r.why));
	r.li = el('li', {}, r.button);
	r.button.onclick = () => {
		if (r.detail) {
			r.detail.remove();
			r.detail = null;
		} else {
			makeDetail(r);
			fillDetail(r);
		}
		r.button.setAttribute('aria-expanded', String(!!r.detail));
	};
	rows.set(g.id, r);
	return r;
}
function fillRow(r, g) {
	const frames = g.stack.frames, first = frames.find(f => !f[3]) || frames[0], c = g.stack.creator;
	r.g = g;
	put(r.count, count(g.count));
	put(r.state, g.reason + (g.waiting && g.runnable ? `, ${count(g.runnable)} runnable` : ''));
	put(r.age, g.waiting ? time(g.oldest_ns) : '');
	put(r.fn, first ? first[0] : g.name || (c ? 'started by ' + c[0] : 'goroutine'));
	put(r.where, [first && file(first[1]) + (first[2] ? ':' + first[2] : ''), first && g.name && `“${g.name}”`,
		c && `created by ${c[0]}`].filter(Boolean).join(' · '));
	put(r.why, why(g));
	r.li.className = (g.suspect ? 's-' + g.suspect : '') + (g.own ? ' is-own' : '');
	spark(r.c, past.filter(p => p.counts).map(p => [p.t, p.counts.get(g.id) || 0]),
		color(g.suspect === 'new' ? '--warn' : g.suspect ? '--bad' : '--accent'));
	if (r.detail) fillDetail(r);
}
function matches(g, text) {
	return !text || [g.reason, g.name, g.labels, g.suspect, ...g.stack.frames.map(f => f[0] + ' ' + f[1]),
		g.stack.creator ? g.stack.creator[0] : ''].join('\n').toLowerCase().includes(text);
}
const head = el('li', {className: 'names'}, el('div', {className: 'row'}, ...['count', 'lately', 'state', 'oldest', 'where']
	.map((t, i) => el('span', {className: ['count', '', '', 'age', ''][i]}, t))));
function drawGroups() {
	const look = latest.s.look, list = $('groups');
	if (!look) return;
	const text = $('filter').value.trim().toLowerCase(), own = $('own').checked, seen = new Set();
	let at = head, suspects = 0, hidden = 0;
	if (!head.parentNode) list.append(head);
	for (const g of look.groups) {
		const shown = (own || !g.own) && matches(g, text);
		suspects += g.suspect !== '';
		if (!shown) { hidden++; continue; }
		const r = rows.get(g.id) || makeRow(g);
		if (at.nextSibling !== r.li) at.after(r.li); // moved only when the order changed
		fillRow(r, g);
		at = r.li;
		seen.add(g.id);
	}
	for (const [id, r] of rows)
		if (!seen.has(id)) { r.li.remove(); rows.delete(id); }
	put($('groups-note'), `${plural(look.goroutines, 'goroutine')} at ${plural(look.groups.length + look.groups_left_out, 'place')}` +
		(suspects ? `, ${count(suspects)} suspected` : ''));
	put($('groups-left'), [hidden && text && `${plural(hidden, 'place')} not shown`, look.groups_left_out &&
		`left out: ${plural(look.groups_left_out, 'more place')} with ${plural(look.goroutines_left_out, 'goroutine')}`]
		.filter(Boolean).join('; '));
	put($('cost'), `looking at all goroutines took ${time(look.took_ns)}`);
}

// ---- processors ----
function drawProcessor(p, c) {
	const [g, w, h] = canvas2d(c), now = latest.t, all = span();
	g.fillStyle = color('--idle');
	g.fillRect(0, 0, w, h);
	const inks = {2: color('--run'), 3: color('--block')};
	for (const part of p.parts) {
		const step = (part.end - part.begin) / Math.max(1, part.text.length);
		for (let i = 0, from = 0; i <= part.text.length; i++)
			if (i === part.text.length || part.text[i] !== part.text[from]) {
				const x0 = w - (now - part.begin - from * step) / all * w;
				if (inks[part.text[from]]) {
					g.fillStyle = inks[part.text[from]];
					g.fillRect(x0, 0, Math.max(.5, (i - from) * step / all * w), h);
				}
				from = i;
			}
	}
}
function drawProcessors() {
	const s = latest.s;
	for (const d of s.processors) {
		let p = procs.get(d.index);
		if (!p) {
			p = {parts: [], c: el('canvas'), what: el('span', {className: 'dim'})};
			p.row = el('div', {className: 'proc'}, el('span', {}, 'P' + d.index), p.c, p.what);
			procs.set(d.index, p);
			$('processors').append(p.row);
		}
		if (d.samples) p.parts.push({begin: latest.t - s.window_ns / 1e6, end: latest.t, text: d.samples});
		while (p.parts.length && p.parts[0].end < latest.t - 60e3) p.parts.shift();
		const all = p.parts.map(x => x.text).join(''), busy = all.split('2').length - 1;
		p.what.replaceChildren(all ? Math.round(busy / all.length * 100) + ' % busy' : '', el('span', {className: 'more'},
			(d.queue ? `, ${d.queue} queued` : '') + (d.goroutine ? `, runs goroutine ${d.goroutine}` : '')));
		drawProcessor(p, p.c);
	}
	const there = new Set(s.processors.map(d => d.index));
	for (const [i, p] of procs)
		if (!there.has(i)) { p.row.remove(); procs.delete(i); }
}

// ---- how long goroutines wait for a processor, in the time that charts show ----
function drawLatencies() {
	const first = past.find(p => p.t >= latest.t - span()), before = new Map(first === latest ? [] : first.s.latencies);
	const bars = new Map(), samples = [];
	let all = 0;
	for (const [from, n] of latest.s.latencies) {
		const more = n - (before.get(from) || 0), bar = from < 512 ? 0 : 2 ** Math.floor(Math.log2(from));
		if (more <= 0) continue;
		all += more;
		samples.push([from, more]);
		bars.set(bar, (bars.get(bar) || 0) + more);
	}
	$('latency').hidden = !all;
	if (!all) return;
	const at = share => {
		let left = share * all;
		return samples.find(([, n]) => (left -= n) <= 0) || samples[samples.length - 1];
	};
	put($('latency-note'), `half below ${time(at(.5)[0] * 1.25)}, 99 % below ${time(at(.99)[0] * 1.25)}; ${count(all)} measured, one in eight; logarithmic`);
	const names = [0];
	for (let ns = 512; ns <= Math.max(65536, ...bars.keys()); ns *= 2) names.push(ns);
	const most = Math.max(...bars.values());
	$('histogram').replaceChildren(...names.map(ns => {
		const bar = el('i'), n = bars.get(ns) || 0;
		bar.style.height = Math.log1p(n) / Math.log1p(most) * 100 + '%';
		return el('div', {title: `${count(n)} from ${time(ns)}`}, el('span', {}, bar), ns ? time(ns) : '< 512 ns');
	}));
}

// ---- polling ----
function status(state, text) {
	$('status').className = state;
	put($('status').lastChild, text);
}
function show(s) {
	const counts = s.look && new Map(s.look.groups.map(g => [g.id, g.count]));
	if (past.length && past[past.length - 1].s.pid !== s.pid) past.length = 0; // another program
	latest = {t: s.time_ns / 1e6, s, counts};
	past.push(latest);
	if (past.length > KEPT) past.shift();
	for (const p of past.slice(0, -1)) if (p.s.look) p.s = {...p.s, look: null, processors: []};
	put($('program'), s.program);
	document.title = `${s.program} · ${count(s.stats.goroutines)} goroutines`;
	put($('about'), `process ${s.pid} · ${plural(s.stats.gomaxprocs, 'processor')} · tuza ${s.version}`);
	drawTiles();
	drawGroups();
	drawProcessors();
	drawLatencies();
	offer(s.pages);
}
const sleep = ms => new Promise(done => setTimeout(done, ms));
async function poll() {
	for (let first = true;; first = false) {
		if (!first && (paused || document.hidden)) { await sleep(200); continue; }
		try {
			const answer = await fetch('/debug/state.json?ms=' + (first ? 0 : 1000));
			if (!answer.ok) throw new Error(answer.status);
			show(await answer.json());
			if (first) fulfil(new URLSearchParams(location.hash.slice(1)));
			if (!paused) status('live', 'live');
			// Looking is not to take more than a twentieth of the time.
			const took = latest.s.look ? latest.s.look.took_ns / 1e6 : 0;
			if (took > 50) await sleep(Math.min(20 * took - 1000, 30e3));
		} catch (e) {
			status('lost', 'no answer');
			await sleep(2000);
		}
	}
}
// /debug/#paused&open&profile=2: one look, the first place opened, and a CPU profile of 2 s at once.
function fulfil(wishes) {
	if (wishes.has('paused')) $('pause').onclick();
	if (wishes.has('open') && rows.size) [...rows.values()][0].button.click();
	if (wishes.has('profile')) {
		$('seconds').append(el('option', {selected: true}, String(Number(wishes.get('profile')) || 1)));
		$('take-cpu').onclick();
	}
}
$('pause').onclick = () => {
	paused = !paused;
	$('pause').setAttribute('aria-pressed', String(paused));
	put($('pause'), paused ? 'Go on' : 'Pause');
	status(paused ? '' : 'live', paused ? 'paused' : 'live');
};
$('filter').oninput = $('own').onchange = () => latest && drawGroups();
addEventListener('resize', () => latest && (drawTiles(), drawGroups(), procs.forEach(p => drawProcessor(p, p.c))));
poll();
