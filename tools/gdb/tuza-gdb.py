# SPDX-License-Identifier: MIT
#
# gdb knows goroutines, in live processes and in core files:
#
#   (gdb) source /usr/local/share/tuza/tuza-gdb.py
#   (gdb) info goroutines
#   (gdb) goroutine 7 bt
#   (gdb) goroutine all bt
#   (gdb) goroutine core FILE
#
# docs/DEBUGGING.md shows what they print. All that is known of the library comes from its tables
# tuza_debugger_*_ (src/base/debugger_facts.h), so it may be stripped down to what it exports.
#
# How a parked goroutine is unwound: its registers lie at its saved stack pointer. While one is
# selected, an unwinder says that the caller of frame 0, whatever runs on the current thread, is
# that context; gdb does the rest. A frame filter hides frame 0.
import itertools
import struct

import gdb
import gdb.FrameDecorator
import gdb.unwinder

TABLES = ("runtime", "chan", "context", "sync")
FACT = struct.Struct("=40sQ")  # struct tuza_debugger_fact_ of <tuza/debug.h>


def read(address, count):
    return bytes(gdb.selected_inferior().read_memory(address, count))


def read_number(address, form="Q"):
    return struct.unpack("=" + form, read(address, struct.calcsize(form)))[0]


def address_of(symbol):
    """The address of a symbol, or None. Asks no debug information."""
    try:
        return int(gdb.parse_and_eval("(unsigned long)&'%s'" % symbol))
    except gdb.error:
        return None


class Facts(dict):
    """What the library's tables say, by name; groups such as state.* also by number."""

    def __init__(self):
        super().__init__()
        for table in TABLES:
            address = address_of("tuza_debugger_%s_" % table)
            if address is None:
                raise gdb.GdbError(
                    "No goroutines: the program does not use tuza, or was stripped of its symbols."
                )
            while True:
                name, value = FACT.unpack(read(address, FACT.size))
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

    def field(self, base, name, form="Q"):
        """The field `name` ("goroutine.id") of the structure at the address or in the bytes."""
        if isinstance(base, bytes):
            return struct.unpack_from("=" + form, base, self[name])[0]
        return read_number(base + self[name], form)


known = None  # Facts of the process, until it or its files change


def facts():
    global known
    if not gdb.selected_inferior().threads():
        raise gdb.GdbError("No goroutines: there is no process and no core file.")
    if known is None:
        known = Facts()
    return known


def forget(_event=None):
    global known
    known = None
    select(None)


# ---- goroutines ----------------------------------------------------------------------------------


class Goroutine:
    def __init__(self, f, address, data):
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
            self.name = gdb.Value(extra).cast(char_pointer()).string(errors="replace")
        if self.state == "waiting":
            self.reason = f.reasons.get(f.field(data, "goroutine.wait_reason", "I"), "")
            self.object = f.field(data, "goroutine.wait_object")
            self.since = f.field(data, "goroutine.wait_since", "q")

    def is_on_thread(self):
        return self.started and self.state in ("running", "syscall")

    def thread(self):
        """The gdb thread that runs it, or None."""
        f = facts()
        tid = read_number(self.machine + f["machine.thread"], "i")
        for thread in gdb.selected_inferior().threads():
            if tid in (thread.ptid[1], thread.ptid[2]):
                return thread
        return None

    def status(self):
        """In the words of a dump, and what it waits on."""
        words = [self.reason or self.state]
        if self.since:
            minutes = (read_number(facts()["coarse_now"], "q") - self.since) // (60 * 10**9)
            if minutes > 0:
                words.append("%d minutes" % minutes)
        if self.locked:
            words.append("locked to thread")
        if self.name:
            words.append('name "%s"' % self.name)
        return ", ".join(words)


def char_pointer():
    return gdb.lookup_type("char").pointer()


def goroutines():
    """All that live, by number. Plain threads are not among them: gdb knows those."""
    f = facts()
    found = []
    size, count = f["goroutine.bytes"], f["goroutine_chunk.count"]
    chunk = read_number(f["chunks"])
    while chunk:
        first = chunk + f["goroutine_chunk.goroutines"]
        data = read(first, size * count)
        for i in range(count):
            one = data[i * size : (i + 1) * size]
            if f.field(one, "goroutine.state", "I") != f["state.dead"]:
                found.append(Goroutine(f, first + i * size, one))
        chunk = f.field(chunk, "goroutine_chunk.next")
    return sorted(found, key=lambda g: g.id)


def place_of(pc):
    """FUNCTION at FILE:LINE of an address in a function."""
    block = gdb.block_for_pc(pc)
    while block is not None and block.function is None:
        block = block.superblock
    if block is not None:
        name = block.function.print_name
    else:  # "name + 12 in section .text"
        name = gdb.execute("info symbol %d" % pc, to_string=True).split(" ")[0]
        name = "0x%x" % pc if name == "No" else name
    return name + line_of(gdb.find_pc_line(pc))


def line_of(sal):
    return " at %s:%d" % (sal.symtab.filename, sal.line) if sal.symtab and sal.line else ""


# ---- frames --------------------------------------------------------------------------------------

selected = None  # the parked goroutine whose frames gdb shows
selected_ptid = None  # instead of those of this thread


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Unwinder(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__("tuza")

    def __call__(self, pending):
        if selected is None or pending.level() != 0:
            return None
        thread = gdb.selected_thread()
        if thread is None or thread.ptid != selected_ptid:
            return None
        f = facts()
        word = gdb.lookup_type("unsigned long")
        pc = "rip" if "rip" in f.saved else "pc"
        sp = "rsp" if "rip" in f.saved else "sp"
        info = pending.create_unwind_info(
            FrameId(gdb.Value(selected.sp).cast(word), pending.read_register(pc))
        )
        for register, at in f.saved.items():
            info.add_saved_register(register, gdb.Value(read_number(selected.sp + at)).cast(word))
        info.add_saved_register(sp, gdb.Value(selected.sp + f["saved_bytes"]).cast(word))
        return info


class Filter:
    """Hides frame 0 while a goroutine is selected."""

    def __init__(self):
        self.name = "tuza"
        self.priority = 1000
        self.enabled = False
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        thread = gdb.selected_thread()
        if thread is None or thread.ptid != selected_ptid:
            return frames
        return (frame for frame in frames if frame.inferior_frame().level() != 0)


def select(g):
    """gdb's current thread shows the frames of the parked goroutine `g`; None: its own again."""
    global selected, selected_ptid
    if selected is None and g is None:
        return
    selected = g
    selected_ptid = gdb.selected_thread().ptid if g else None
    frame_filter.enabled = g is not None
    gdb.invalidate_cached_frames()


def is_runtime(frame):
    f = facts()
    pc = frame.pc()
    if (frame.name() or "").startswith("tuza_"):
        return True  # inline functions of the headers, too
    if f["text.start"]:
        return f["text.start"] <= pc < f["text.end"]
    return "/libtuza.so" in (gdb.solib_name(pc) or "")


def user_frame(frame):
    """The innermost frame of the program from `frame` on; `frame` if there is none."""
    at = frame
    while at is not None:
        if not is_runtime(at):
            return at
        at = at.older()
    return frame


class Inside:
    """with Inside(g): gdb is where `g` is, its innermost frame of the program selected."""

    def __init__(self, g):
        self.g = g

    def __enter__(self):
        self.thread = gdb.selected_thread()
        if self.thread is None:
            raise gdb.GdbError("There is no process.")
        self.before = selected
        self.before_frame = gdb.selected_frame()
        self.before_level = self.before_frame.level()
        if self.g.is_on_thread():
            select(None)
            thread = self.g.thread()
            if thread is None:
                raise gdb.GdbError("Goroutine %d runs on a thread that is unknown." % self.g.id)
            thread.switch()
            user_frame(gdb.newest_frame()).select()
        else:
            select(self.g)
            parked = gdb.newest_frame().older()
            if parked is None:
                self.__exit__()
                raise gdb.GdbError("Goroutine %d cannot be unwound." % self.g.id)
            user_frame(parked).select()

    def __exit__(self, *_error):
        self.thread.switch()
        select(self.before)
        frame = gdb.newest_frame()
        for _ in range(self.before_level):
            frame = frame.older() if frame else None
        if frame:
            frame.select()


def where(g):
    """Where the goroutine stands in the program."""
    if not g.started:
        return place_of(g.entry) + " (not started)"
    try:
        with Inside(g):
            frame = gdb.selected_frame()
            name = frame.name() or "0x%x" % frame.pc()
            return name + line_of(frame.find_sal())
    except (gdb.error, gdb.GdbError) as error:
        return "? (%s)" % error


# ---- commands ------------------------------------------------------------------------------------


class InfoGoroutines(gdb.Command):
    """Lists the goroutines that live: number, state or what it waits for, the object that it waits
on, and where it is in the program. * marks the one that `bt` and `frame` show.

Plain threads are listed by `info threads`."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, _argument, _from_tty):
        found = goroutines()
        current = gdb.selected_thread()
        rows = []
        for g in found:
            if selected is not None:
                mark = g.address == selected.address
            else:
                mark = g.is_on_thread() and current is not None and g.thread() == current
            waits_on = " on 0x%x" % g.object if g.object else ""
            rows.append(("*" if mark else " ", g.id, g.status() + waits_on, g))
        width = max([len(row[2]) for row in rows] + [5])
        print("  %5s  %-*s  %s" % ("Id", width, "State", "Where"))
        for mark, number, state, g in rows:
            print("%s %5d  %-*s  %s" % (mark, number, width, state, where(g)))


def write_core(path):
    """What gcore does, and the stacks, which it leaves out.

    Stacks lie side by side in one mapping with guards in between. gdb reads a mapping in blocks of
    a megabyte and gives up at the first one that it cannot read whole. The kernel does not.
    """
    gdb.execute("generate-core-file " + path)
    with open(path, "r+b") as core:
        header = struct.unpack("=16sHHIQQQIHHHHHH", core.read(64))
        core.seek(header[5])
        segments = [struct.unpack("=IIQQQQQQ", core.read(56)) for _ in range(header[10])]
        for g in goroutines():
            if not g.started or not g.stack:
                continue
            sp = g.sp
            if g.is_on_thread():
                with Inside(g):
                    sp = int(gdb.newest_frame().read_register("sp"))
                if not g.stack <= sp < g.stack_end:
                    continue  # in the scheduler, or in a signal handler with a stack of its own
            sp -= 128  # what functions may use below it
            for kind, _flags, offset, start, _physical, bytes_there, _size, _align in segments:
                if kind == 1 and start <= sp and g.stack_end <= start + bytes_there:
                    core.seek(offset + sp - start)
                    core.write(read(sp, g.stack_end - sp))


class GoroutineCommand(gdb.Command):
    """goroutine ID|all COMMAND: runs a command, such as bt, where the goroutine is.
goroutine ID: frames are those of this goroutine, until the program goes on or `goroutine off`.
goroutine core FILE: a core file as by gcore, but with the goroutines' stacks.

The innermost frame of the program is selected first. Frames of a goroutine that does not run are
counted from 1: frame 0 is the current thread's."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        words = argument.split(None, 1)
        if not words:
            raise gdb.GdbError("goroutine ID|all COMMAND, goroutine ID|off, goroutine core FILE")
        if words[0] == "off":
            select(None)
            return
        if words[0] == "core":
            if len(words) < 2:
                raise gdb.GdbError("goroutine core FILE")
            write_core(words[1])
            return
        found = goroutines()
        if words[0] != "all":
            if not words[0].isdigit():
                raise gdb.GdbError("goroutine: no number: " + words[0])
            found = [g for g in found if g.id == int(words[0])]
            if not found:
                raise gdb.GdbError("There is no goroutine %s." % words[0])
        elif len(words) < 2:
            raise gdb.GdbError("goroutine all COMMAND")
        for g in found:
            if len(words) == 2:
                self.run(g, words[1])
            else:
                self.go_to(g)

    @staticmethod
    def header(g):
        print("goroutine %d [%s]:" % (g.id, g.status()))

    def run(self, g, command):
        self.header(g)
        if not g.started:
            print("not started: " + place_of(g.entry))
        else:
            try:
                with Inside(g):
                    gdb.execute(command)
            except gdb.error as error:
                print(error)
        if command.split()[0] in ("bt", "backtrace", "where") and g.creation_pc:
            # A return address: the call is before it.
            print("created by %s" % place_of(g.creation_pc - 1), end="")
            print(" in goroutine %d" % g.creator_id if g.creator_id else "")
        print()

    def go_to(self, g):
        self.header(g)
        if not g.started:
            print("not started: " + place_of(g.entry))
            return
        inside = Inside(g)
        inside.__enter__()
        gdb.execute("frame")


# ---- printers ------------------------------------------------------------------------------------


SHOWN = 8  # goroutines of a queue: there may be a million, and a backtrace prints it often


def of_goroutines(ids):
    shown = ", ".join(str(i) for i in ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
    return "goroutine%s %s" % ("" if len(ids) == 1 else "s", shown)


def waiters(address):
    """", waited for by goroutines 3, 4", or nothing."""
    ids = [g.id for g in goroutines() if g.object == address]
    return ", waited for by " + of_goroutines(ids) if ids else ""


def queue(f, head):
    """The numbers of the goroutines in a channel's queue."""
    link = read_number(head + f["link.next"])
    while link != head and link != 0:
        waiter = link - f["chan_waiter.link"]
        yield f.field(f.field(waiter, "chan_waiter.g"), "goroutine.id")
        link = read_number(link + f["link.next"])


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
        words.append("made by " + place_of(made - 1))
    return ", ".join(words)


def describe_mutex(f, m):
    held = read_number(m, "I") & f["mutex.locked"]
    return ("locked" if held else "unlocked") + waiters(m)


def describe_rwmutex(f, rw):
    state = read_number(rw)
    readers = state // f["rwmutex.reader"]
    if state & f["rwmutex.writer"]:
        text = "locked"
    else:
        text = "read-locked by %d" % readers if readers else "unlocked"
    return text + waiters(rw)


def describe_waitgroup(f, wg):
    return "waits for %d" % (read_number(wg, "q") // f["waitgroup.one"]) + waiters(wg)


def describe_once(f, once):
    state = read_number(once, "I")
    running = "running" if state & f["once.running"] else "new"
    return ("done" if state == f["once.done"] else running) + waiters(once)


def describe_semaphore(f, s):
    size, state = struct.unpack("=qq", read(s, 16))
    return "%d of %d free" % (state // f["semaphore.one"], size) + waiters(s)


BY_POINTER = {"tuza_chan": describe_chan, "tuza_context": describe_context}
BY_VALUE = {
    "tuza_mutex": describe_mutex,
    "tuza_rwmutex": describe_rwmutex,
    "tuza_waitgroup": describe_waitgroup,
    "tuza_once": describe_once,
    "tuza_semaphore": describe_semaphore,
}


class Printer:
    def __init__(self, describe, address, prefix):
        self.describe = describe
        self.address = address
        self.prefix = prefix

    def to_string(self):
        try:
            return self.prefix + self.describe(facts(), self.address)
        except (gdb.error, gdb.GdbError) as error:
            return self.prefix + "? (%s)" % error


def tuza_printer(value):
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR:
        address = int(value)
        target = kind.target().strip_typedefs()
        describe = BY_POINTER.get(target.tag) if target.code == gdb.TYPE_CODE_STRUCT else None
        if describe is None:
            return None
        if address == 0:
            return Printer(lambda _f, _a: "nil", 0, "")
        return Printer(describe, address, "0x%x: " % address)
    if kind.code != gdb.TYPE_CODE_STRUCT or value.address is None:
        return None
    describe = BY_VALUE.get(kind.tag) or BY_POINTER.get(kind.tag)
    return Printer(describe, int(value.address), "") if describe else None


# Loaded again, it takes the place of what was loaded before.
gdb.pretty_printers[:] = [
    p for p in gdb.pretty_printers if getattr(p, "__name__", "") != "tuza_printer"
]
gdb.pretty_printers.append(tuza_printer)
frame_filter = Filter()
gdb.unwinder.register_unwinder(None, Unwinder(), replace=True)
for changes in (gdb.events.cont, gdb.events.exited, gdb.events.new_objfile):
    changes.connect(forget)
InfoGoroutines()
GoroutineCommand()
