# SPDX-License-Identifier: MIT
"""What the debuggers' extensions know of tuza: goroutines, and what channels, contexts and locks say.

All of it comes from the library's tables tuza_debugger_*_ (src/base/debugger_facts.h), so it may be
stripped down to what it exports. A debugger gives a `memory`:

    read(address, count)   bytes
    symbol(name)           the address of a symbol, or None; asks no debug information
    place_of(pc)           "FUNCTION at FILE:LINE" of an address in a function
"""
import itertools
import struct

TABLES = ("runtime", "chan", "context", "sync")
FACT = struct.Struct("=40sQ")  # struct tuza_debugger_fact_ of <tuza/debug.h>


class Missing(Exception):
    """There is no tuza in the process."""


class Facts(dict):
    """What the library's tables say, by name; groups such as state.* also by number."""

    def __init__(self, memory):
        super().__init__()
        self.memory = memory
        for table in TABLES:
            address = memory.symbol("tuza_debugger_%s_" % table)
            if address is None:
                raise Missing(
                    "No goroutines: the program does not use tuza, or was stripped of its symbols."
                )
            while True:
                name, value = FACT.unpack(memory.read(address, FACT.size))
                name = name.split(b"\0", 1)[0].decode()
                if not name:
                    break
                self[name] = value
                address += FACT.size
        self.states = self.group("state.")
        self.reasons = self.group("reason.")
        self.saved = {name[6:]: at for name, at in self.items() if name.startswith("saved.")}

    def group(self, prefix):
        skip = len(prefix)
        return {value: name[skip:] for name, value in self.items() if name.startswith(prefix)}

    def number(self, address, form="Q"):
        return struct.unpack("=" + form, self.memory.read(address, struct.calcsize(form)))[0]

    def text(self, address, limit=64):
        data = self.memory.read(address, limit)
        return data.split(b"\0", 1)[0].decode(errors="replace")

    def field(self, base, name, form="Q"):
        """The field `name` ("goroutine.id") of the structure at the address or in the bytes."""
        if isinstance(base, bytes):
            return struct.unpack_from("=" + form, base, self[name])[0]
        return self.number(base + self[name], form)


# ---- goroutines ----------------------------------------------------------------------------------


class Goroutine:
    def __init__(self, f, address, data):
        self.facts = f
        self.address = address
        self.id = f.field(data, "goroutine.id")
        self.creator_id = f.field(data, "goroutine.creator_id")
        self.creation_pc = f.field(data, "goroutine.creation_pc")
        self.state = f.states.get(f.field(data, "goroutine.state", "I"), "?")
        self.sp = f.field(data, "goroutine.sp")
        self.stack = f.field(data, "goroutine.stack")
        self.stack_end = self.stack + (1 << f.field(data, "goroutine.stack_class", "I"))
        self.started = f.field(data, "goroutine.flags", "I") & f["flag.started"] != 0
        self.entry = self.object = self.machine = self.since = self.locked = 0
        self.reason = self.name = ""
        if not self.started:
            # A handle's goroutine gets its function as an argument of the library's own.
            self.entry = f.field(data, "goroutine.capture.fn")
            if f.field(data, "goroutine.handle"):
                self.entry = struct.unpack_from("=Q", data, f["goroutine.capture.gpr"] + 8)[0]
            return
        self.machine = f.field(data, "goroutine.machine")
        self.locked = f.field(data, "goroutine.lock_count", "I")
        extra = f.field(data, "goroutine.extra")
        if extra:
            self.name = f.text(extra)
        if self.state == "waiting":
            self.reason = f.reasons.get(f.field(data, "goroutine.wait_reason", "I"), "")
            self.object = f.field(data, "goroutine.wait_object")
            self.since = f.field(data, "goroutine.wait_since", "q")

    def is_on_thread(self):
        return self.started and self.state in ("running", "syscall")

    def thread_id(self):
        """The number that the system gave the thread that it runs on."""
        return self.facts.number(self.machine + self.facts["machine.thread"], "i")

    def registers(self):
        """Those of a parked goroutine, by name; of the stack pointer and those that calls keep."""
        f = self.facts
        found = {name: f.number(self.sp + at) for name, at in f.saved.items()}
        found["rsp" if "rip" in found else "sp"] = self.sp + f["saved_bytes"]
        return found

    def registers_in_park(self):
        """The same as if it were still in the function that saved them, which can be unwound."""
        stack, pc = ("rsp", "rip") if "rip" in self.facts.saved else ("sp", "pc")
        return {**self.registers(), stack: self.sp, pc: self.facts["parked_at"]}

    def status(self):
        """In the words of a dump, and what it waits on."""
        words = [self.reason or self.state]
        if self.since:
            now = self.facts.number(self.facts["coarse_now"], "q")
            minutes = (now - self.since) // (60 * 10**9)
            if minutes > 0:
                words.append("%d minutes" % minutes)
        if self.locked:
            words.append("locked to thread")
        if self.name:
            words.append('name "%s"' % self.name)
        return ", ".join(words)


def goroutines(f):
    """All that live, by number. Plain threads are not among them: debuggers know those."""
    found = []
    size, count = f["goroutine.bytes"], f["goroutine_chunk.count"]
    chunk = f.number(f["chunks"])
    while chunk:
        first = chunk + f["goroutine_chunk.goroutines"]
        data = f.memory.read(first, size * count)
        for i in range(count):
            one = data[i * size : (i + 1) * size]
            if f.field(one, "goroutine.state", "I") != f["state.dead"]:
                found.append(Goroutine(f, first + i * size, one))
        chunk = f.field(chunk, "goroutine_chunk.next")
    return sorted(found, key=lambda g: g.id)


# ---- what objects say ----------------------------------------------------------------------------

SHOWN = 8  # goroutines of a queue: there may be a million, and a backtrace prints it often


def of_goroutines(ids):
    shown = ", ".join(str(i) for i in ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
    return "goroutine%s %s" % ("" if len(ids) == 1 else "s", shown)


def waiters(f, address):
    """", waited for by goroutines 3, 4", or nothing."""
    ids = [g.id for g in goroutines(f) if g.object == address]
    return ", waited for by " + of_goroutines(ids) if ids else ""


def queue(f, head):
    """The numbers of the goroutines in a channel's queue."""
    link = f.number(head + f["link.next"])
    while link != head and link != 0:
        waiter = link - f["chan_waiter.link"]
        yield f.field(f.field(waiter, "chan_waiter.g"), "goroutine.id")
        link = f.number(link + f["link.next"])


def describe_chan(f, c):
    kind = f.group("chan_kind.").get(f.field(c, "tuza_chan.kind", "I"), "chan")
    words = ["%s of %d bytes" % (kind, f.field(c, "tuza_chan.elem_bytes", "I"))]
    count, capacity = f.field(c, "tuza_chan.count"), f.field(c, "tuza_chan.capacity")
    words.append("%d of %d" % (count, capacity))
    if f.field(c, "tuza_chan.closed", "I"):
        words.append("closed")
    words.append("%d references" % f.field(c, "tuza_chan.references", "I"))
    for side in ("receivers", "senders"):
        ids = list(itertools.islice(queue(f, c + f["tuza_chan." + side]), SHOWN + 1))
        if ids:
            words.append("%s: %s" % (side, of_goroutines(ids)))
    return ", ".join(words)


def describe_context(f, c):
    words = [f.group("context_kind.").get(f.field(c, "tuza_context.kind", "I"), "?") + " context"]
    deadline = f.field(c, "tuza_context.deadline", "q")
    if deadline != 2**63 - 1:
        words.append("deadline at %.9f s" % (deadline / 1e9))
    canceller = f.field(c, "tuza_context.canceller")
    if not canceller:
        words.append("never ends")
    else:
        error = f.field(canceller, "canceller.error", "i")
        if error == 0:
            words.append("goes on")
        elif error == f["context_ending"]:
            words.append("is ending")
        else:
            words.append("ended with %d" % error)
            cause = f.field(canceller, "canceller.cause", "i")
            if cause not in (0, error):
                words.append("cause %d" % cause)
    parent = f.field(c, "tuza_context.parent")
    if parent:
        words.append("parent 0x%x" % parent)
    made = f.field(c, "tuza_context.created_at")
    if made:
        words.append("made by " + f.memory.place_of(made - 1))
    return ", ".join(words)


def describe_mutex(f, m):
    held = f.number(m, "I") & f["mutex.locked"]
    return ("locked" if held else "unlocked") + waiters(f, m)


def describe_rwmutex(f, rw):
    state = f.number(rw)
    readers = state // f["rwmutex.reader"]
    if state & f["rwmutex.writer"]:
        text = "locked"
    else:
        below_zero = state >> 63  # some that stood in slots were counted off
        text = "read-locked by %d" % readers if readers and not below_zero else "unlocked"
        if state & f["rwmutex.slots"]:
            text += ", not counting readers in slots"
    return text + waiters(f, rw)


def describe_waitgroup(f, wg):
    return "waits for %d" % (f.number(wg, "q") // f["waitgroup.one"]) + waiters(f, wg)


def describe_once(f, once):
    state = f.number(once, "I")
    running = "running" if state & f["once.running"] else "new"
    return ("done" if state == f["once.done"] else running) + waiters(f, once)


def describe_semaphore(f, s):
    size, state = struct.unpack("=qq", f.memory.read(s, 16))
    return "%d of %d free" % (state // f["semaphore.one"], size) + waiters(f, s)


BY_POINTER = {"tuza_chan": describe_chan, "tuza_context": describe_context}
BY_VALUE = {
    "tuza_mutex": describe_mutex,
    "tuza_rwmutex": describe_rwmutex,
    "tuza_waitgroup": describe_waitgroup,
    "tuza_once": describe_once,
    "tuza_semaphore": describe_semaphore,
}
