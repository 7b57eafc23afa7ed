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
# docs/DEBUGGING.md shows what they print. What is known of the library is in tuza_facts.py, which
# LLDB's extension uses, too.
#
# How a parked goroutine is unwound: its registers lie at its saved stack pointer. While one is
# selected, an unwinder says that the caller of frame 0, whatever runs on the current thread, is
# that context; gdb does the rest. A frame filter hides frame 0.
import os
import struct
import sys

import gdb
import gdb.FrameDecorator
import gdb.unwinder

# What is loaded with the library, in share/gdb/auto-load, has named the folder already.
HERE = os.path.dirname(os.path.realpath(__file__))
for folder in (HERE, os.path.join(HERE, "..", "debugger")):
    if os.path.exists(os.path.join(folder, "tuza_facts.py")):
        sys.path.insert(0, folder)

import tuza_facts  # noqa: E402


class Memory:
    """What tuza_facts asks for, of the current process or core file."""

    @staticmethod
    def read(address, count):
        return bytes(gdb.selected_inferior().read_memory(address, count))

    @staticmethod
    def symbol(name):
        try:
            return int(gdb.parse_and_eval("(unsigned long)&'%s'" % name))
        except gdb.error:
            return None

    @staticmethod
    def place_of(pc):
        return place_of(pc)


known = None  # tuza_facts.Facts of the process, until it or its files change


def facts():
    global known
    if not gdb.selected_inferior().threads():
        raise gdb.GdbError("No goroutines: there is no process and no core file.")
    if known is None:
        try:
            known = tuza_facts.Facts(Memory)
        except tuza_facts.Missing as reason:
            raise gdb.GdbError(str(reason))
    return known


def forget(_event=None):
    global known
    known = None
    select(None)


# ---- goroutines ----------------------------------------------------------------------------------


def goroutines():
    return tuza_facts.goroutines(facts())


def thread_of(g):
    """The gdb thread that runs it, or None."""
    tid = g.thread_id()
    for thread in gdb.selected_inferior().threads():
        if tid in (thread.ptid[1], thread.ptid[2]):
            return thread
    return None


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
        word = gdb.lookup_type("unsigned long")
        registers = selected.registers()
        pc = "rip" if "rip" in registers else "pc"
        info = pending.create_unwind_info(
            FrameId(gdb.Value(selected.sp).cast(word), pending.read_register(pc))
        )
        for register, value in registers.items():
            info.add_saved_register(register, gdb.Value(value).cast(word))
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
    if frame.type() == gdb.SIGTRAMP_FRAME:
        return True
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
            thread = thread_of(self.g)
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
                mark = g.is_on_thread() and current is not None and thread_of(g) == current
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
                    core.write(Memory.read(sp, g.stack_end - sp))


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
        describe = tuza_facts.BY_POINTER.get(target.tag) if target.code == gdb.TYPE_CODE_STRUCT else None
        if describe is None:
            return None
        if address == 0:
            return Printer(lambda _f, _a: "nil", 0, "")
        return Printer(describe, address, "0x%x: " % address)
    if kind.code != gdb.TYPE_CODE_STRUCT or value.address is None:
        return None
    describe = tuza_facts.BY_VALUE.get(kind.tag) or tuza_facts.BY_POINTER.get(kind.tag)
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
