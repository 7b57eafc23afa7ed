
// ---- profiles: pprof's format taken apart, drawn as a flame graph ----
// The fields of a protocol buffer's message: [number, integer or bytes].
function* fields(data) {
	let at = 0;
	const varint = () => {
		let n = 0, factor = 1;
		for (;;) {
			const b = data[at++];
			n += (b & 127) * factor;
			if (b < 128 || at > data.length) return n;
			factor *= 128;
		}
	};
	while (at < data.length) {
		const key = varint(), wire = key & 7;
		if (wire === 0) yield [key >> 3, varint()];
		else if (wire === 2) {
			const n = varint();
			yield [key >> 3, data.subarray(at, at += n)];
		} else at += wire === 1 ? 8 : 4;
	}
}
function integers(value) { // packed, or a single one
	if (typeof value === 'number') return [value];
	const all = [];
	for (let i = 0, n = 0, factor = 1; i < value.length; i++) {
		n += (value[i] & 127) * factor;
		factor *= 128;
		if (value[i] < 128) { all.push(n); n = 0; factor = 1; }
	}
	return all;
}
async function gunzip(blob) {
	const stream = blob.stream().pipeThrough(new DecompressionStream('gzip'));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}
function decodeProfile(data) {
	const strings = [], types = [], samples = [], functions = new Map(), locations = new Map();
	const text = new TextDecoder();
	for (const [n, v] of fields(data)) {
		if (n === 6) strings.push(text.decode(v));
		else if (n === 1) types.push(Object.fromEntries(fields(v)));
		else if (n === 5) { const f = Object.fromEntries(fields(v)); functions.set(f[1], f); }
		else if (n === 4) {
			const l = {lines: []};
			for (const [k, x] of fields(v)) if (k === 4) l.lines.push(Object.fromEntries(fields(x))); else if (k === 1) l.id = x; else if (k === 3) l.address = x;
			locations.set(l.id, l);
		} else if (n === 2) {
			const s = {places: [], values: []};
			for (const [k, x] of fields(v)) if (k === 1) s.places.push(...integers(x)); else if (k === 2) s.values.push(...integers(x));
			samples.push(s);
		}
	}
	const name = line => { const f = functions.get(line[1]); return f ? [strings[f[2]], strings[f[4] || 0]] : ['?', '']; };
	return {
		types: types.map(t => [strings[t[1]], strings[t[2]]]),
		// Outermost first; each [function, file].
		samples: samples.map(s => ({values: s.values, stack: s.places.flatMap(id => {
			const l = locations.get(id);
			return !l ? [['?', '']] : l.lines.length ? l.lines.map(name) : [['0x' + (l.address || 0).toString(16), '']];
		}).reverse()})),
	};
}

const flame = {profile: null, type: 0, root: null, zoom: null};
function buildTree() {
	const root = {name: 'all', file: '', value: 0, self: 0, children: new Map(), parent: null, depth: 0};
	for (const s of flame.profile.samples) {
		const v = s.values[flame.type] || 0;
		let at = root;
		root.value += v;
		for (const [name, path] of s.stack) {
			let next = at.children.get(name);
			if (!next) at.children.set(name, next = {name, file: path, value: 0, self: 0, children: new Map(), parent: at, depth: at.depth + 1});
			next.value += v;
			at = next;
		}
		at.self += v;
	}
	flame.root = flame.zoom = root;
}
function amount(v) {
	const unit = flame.profile.types[flame.type][1];
	return unit === 'nanoseconds' ? time(v) : unit === 'bytes' ? bytes(v) : count(v);
}
function tint(n) { // alike for functions of one file
	let hash = 7;
	for (const c of n.file || n.name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
	const isRuntime = /(^|_)tuza_|\/src\/(sched|chan|sync|arch|net|time|debug|pprof|io|http)\//.test(n.name + ' ' + n.file);
	return isRuntime ? `hsl(215 18% ${74 + hash % 8}%)` : `hsl(${22 + hash % 34} 82% ${66 + hash % 9}%)`;
}
function share(v) { return flame.root.value ? (v / flame.root.value * 100).toFixed(1) + ' %' : ''; }
function hover(n) {
	put($('flame-hover'), n ? `${n.name} · ${amount(n.value)}, ${share(n.value)}` + (n.self ? ` · itself ${amount(n.self)}` : '') + (n.file ? ` · ${file(n.file)}` : '') : '\u00a0');
}
function drawFlame() {
	const ROW = 20, box = $('flame'), zoom = flame.zoom, wanted = $('flame-search').value.trim().toLowerCase();
	const path = [], out = [];
	let deepest = zoom.depth, hits = 0;
	for (let n = zoom; n; n = n.parent) path.unshift(n);
	const add = (n, left, width) => {
		const b = el('button', {type: 'button', onclick: () => { flame.zoom = n; drawFlame(); },
			onmouseenter: () => hover(n), onfocus: () => hover(n), title: `${n.name}\n${amount(n.value)}, ${share(n.value)}`}, width > 1.2 ? n.name : '');
		Object.assign(b.style, {left: left + '%', width: width + '%', top: n.depth * ROW + 'px', background: tint(n)});
		if (n.depth < zoom.depth) b.className = 'above';
		if (wanted && n.name.toLowerCase().includes(wanted)) b.className = 'hit';
		deepest = Math.max(deepest, n.depth);
		out.push(b);
	};
	const below = (n, left, width) => {
		add(n, left, width);
		for (const k of [...n.children.values()].sort((a, b) => b.value - a.value)) {
			const w = n.value ? width * k.value / n.value : 0;
			if (w < .08) break; // narrower than a pixel
			below(k, left, w);
			left += w;
		}
	};
	path.slice(0, -1).forEach(n => add(n, 0, 100));
	below(zoom, 0, 100);
	const match = n => {
		if (n.name.toLowerCase().includes(wanted)) hits += n.value; else n.children.forEach(match);
	};
	if (wanted) match(flame.root);
	put($('flame-match'), wanted ? `${share(hits)} in what matches` : `${plural(flame.profile.samples.length, 'stack')}, ${amount(flame.root.value)} in all`);
	box.replaceChildren(...out);
	box.style.height = (deepest + 1) * ROW + 'px';
	hover(null);
}
function drawTop() {
	const by = new Map();
	const visit = (n, above) => {
		const f = by.get(n.name) || {flat: 0, cum: 0};
		f.flat += n.self;
		if (!above.has(n.name)) f.cum += n.value;
		by.set(n.name, f);
		const inside = new Set(above).add(n.name);
		n.children.forEach(k => visit(k, inside));
	};
	flame.root.children.forEach(n => visit(n, new Set()));
	const top = [...by].sort((a, b) => b[1].flat - a[1].flat).filter(x => x[1].flat).slice(0, 12);
	$('flame-top').replaceChildren(el('tr', {}, ...['itself', '', 'with callees', '', 'function'].map(t => el('th', {}, t))),
		...top.map(([name, f]) => el('tr', {}, ...[amount(f.flat), share(f.flat), amount(f.cum), share(f.cum), name].map(t => el('td', {}, t)))));
}
function drawProfile() {
	buildTree();
	drawFlame();
	drawTop();
}
function showProfile(title, profile, blob, name, hint) {
	flame.profile = profile;
	flame.type = profile.types.length - 1;
	$('flame-type').replaceChildren(...profile.types.map((t, i) => el('option', {value: i, selected: i === flame.type}, t[0])));
	$('flame-type').hidden = profile.types.length < 2;
	put($('flame-title'), title);
	$('flame-save').href = URL.createObjectURL(blob);
	$('flame-save').download = name + '.pb.gz';
	for (const id of ['flame-bar', 'flame', 'flame-hover', 'flame-top']) $(id).hidden = !profile.samples.length;
	put($('flame-note'), profile.samples.length ? '' : `${title}: nothing was counted.${hint}`);
	if (profile.samples.length) drawProfile();
}
async function take(title, url, name, seconds, hint) {
	const buttons = document.querySelectorAll('#take-cpu, #takers button');
	const end = Date.now() + seconds * 1e3;
	const clock = setInterval(() => put($('flame-note'), `${title}: ${Math.max(0, Math.ceil((end - Date.now()) / 1e3))} s …`), 200);
	buttons.forEach(b => b.disabled = true);
	try {
		const answer = await fetch(url);
		clearInterval(clock);
		if (!answer.ok) throw new Error(await answer.text());
		const blob = await answer.blob();
		showProfile(title, decodeProfile(await gunzip(blob)), blob, name, hint);
	} catch (e) {
		clearInterval(clock);
		put($('flame-note'), `${title}: ${e.message}`);
	}
	buttons.forEach(b => b.disabled = false);
}
$('take-cpu').onclick = () => {
	const s = Number($('seconds').value);
	return take(`CPU profile of ${s} s`, '/debug/pprof/profile?seconds=' + s, 'cpu', s, '');
};
// Button, title, name, and what to do when nothing was counted.
for (const [text, title, name, hint] of [
	['Goroutines', 'Goroutines by stack', 'goroutine', ''],
	['Heap', 'Memory in use', 'heap', ' It counts what the program gets by tuza_malloc.'],
	['Block', 'Waiting, by who waited', 'block', ' tuza_set_block_profile_rate turns it on.'],
	['Mutex', 'Waiting, by who kept others waiting', 'mutex', ' tuza_set_mutex_profile_fraction turns it on.'],
]) {
	const b = el('button', {type: 'button'}, text);
	b.onclick = () => take(title, '/debug/pprof/' + name, name, 0, hint);
	$('takers').append(b);
}
$('flame-type').onchange = () => { flame.type = Number($('flame-type').value); drawProfile(); };
$('flame-search').oninput = drawFlame;
$('flame-reset').onclick = () => { flame.zoom = flame.root; $('flame-search').value = ''; drawFlame(); };

// ---- what there is besides, when it is there ----
async function findLeaks(button) {
	button.disabled = true;
	put($('flame-note'), 'Looking for leaks …');
	try {
		const answer = await fetch('/debug/leaks.json');
		if (!answer.ok) throw new Error(await answer.text());
		const found = await answer.json();
		$('flame-note').replaceChildren(`${plural(found.leaked, 'goroutine')} leaked, of ${count(found.looked_at)} blocked. ` +
			`All threads stood still for ${time(found.stopped_ns)}. `,
			found.leaked ? el('a', {href: '/debug/pprof/goroutineleak?debug=2'}, 'All of them') : '');
	} catch (e) {
		put($('flame-note'), 'Leaks: ' + e.message);
	}
	button.disabled = false;
}
function offer(pages) {
	if ($('others').childNodes.length) return;
	const there = path => pages.includes('/debug/pprof/' + path);
	if (there('goroutineleak')) {
		const b = el('button', {type: 'button', title: 'Scans memory for proof: all threads stand still, a second per GB or so'}, 'Find leaks');
		b.onclick = () => findLeaks(b);
		$('others').append(b);
	}
	if (there('trace')) {
		const a = el('a', {className: 'button', download: 'trace.out'}, 'Save trace');
		a.onclick = () => { a.href = '/debug/pprof/trace?seconds=' + $('seconds').value; };
		a.href = '/debug/pprof/trace?seconds=1';
		$('others').append(a);
	}
}
