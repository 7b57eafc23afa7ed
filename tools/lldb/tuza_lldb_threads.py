# SPDX-License-Identifier: MIT
#
# LLDB's "operating system plug-in" for goroutines (target.process.python-os-plugin-path, which
# tuza_lldb.py sets): it is asked at each stop for the threads that there are besides the real ones,
# and for their registers. Those are the goroutines that do not run; their thread ids begin with
# FIRST_ID. And how tuza_facts.py reads a process of LLDB's.
import os
import struct
import sys

import lldb

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(1, os.path.join(sys.path[0], "..", "debugger"))

import tuza_facts  # noqa: E402

FIRST_ID = 1 << 32
MOST = 5000  # threads that LLDB is given; `goroutines` lists all


class Memory:
    """What tuza_facts asks for, of a process."""

    def __init__(self, process):
        self.process = process
        self.target = process.GetTarget()

    def read(self, address, count):
        error = lldb.SBError()
        data = self.process.ReadMemory(address, count, error)
        if not error.Success():  # what is only in the program's file is left out of core files
            error = lldb.SBError()
            place = lldb.SBAddress(address, self.target)
            data = self.target.ReadMemory(place, count, error)
        if not error.Success() or data is None or len(data) != count:
            raise tuza_facts.Missing("No goroutines: no memory at 0x%x." % address)
        return data

    def symbol(self, name):
        for context in self.target.FindSymbols(name):
            address = context.GetSymbol().GetStartAddress().GetLoadAddress(self.target)
            if address != lldb.LLDB_INVALID_ADDRESS:
                return address
        return None

    def place_of(self, pc):
        address = self.target.ResolveLoadAddress(pc)
        context = self.target.ResolveSymbolContextForAddress(
            address, lldb.eSymbolContextEverything
        )
        name = context.GetFunction().GetName() or context.GetSymbol().GetName()
        return (name or "0x%x" % pc) + line_of(address.GetLineEntry())


def line_of(entry):
    file = entry.GetFileSpec()
    return " at %s:%d" % (file.GetFilename(), entry.GetLine()) if file.IsValid() else ""


known = {}  # (process, where its goroutines are) -> Facts: at first they are not relocated yet


def facts_of(process):
    if not process or not process.IsValid():
        raise tuza_facts.Missing("No goroutines: there is no process and no core file.")
    memory = Memory(process)
    table = memory.symbol("tuza_debugger_runtime_")
    key = process.GetUniqueID(), table and memory.read(table, 4 * tuza_facts.FACT.size)
    if key not in known:
        facts = tuza_facts.Facts(memory)
        known.clear()
        known[key] = facts
    return known[key]


# ---- goroutines as threads -------------------------------------------------------------------------

# Of each register: its name, DWARF's number, LLDB's generic name.
X86_64 = [
    ("rax", 0, None), ("rdx", 1, None), ("rcx", 2, None), ("rbx", 3, None), ("rsi", 4, None),
    ("rdi", 5, None), ("rbp", 6, "fp"), ("rsp", 7, "sp"), ("r8", 8, None), ("r9", 9, None),
    ("r10", 10, None), ("r11", 11, None), ("r12", 12, None), ("r13", 13, None), ("r14", 14, None),
    ("r15", 15, None), ("rip", 16, "pc"),
]  # fmt: skip
AARCH64 = [("x%d" % i, i, {29: "fp", 30: "ra"}.get(i)) for i in range(31)]
AARCH64 += [("sp", 31, "sp"), ("pc", 32, "pc")]


class OperatingSystemPlugIn:
    """What LLDB asks at each stop."""

    def __init__(self, process):
        self.process = process
        self.parked = {}  # thread id -> Goroutine
        self.is_asked = False  # reading memory may make LLDB ask again
        is_arm = process.GetTarget().GetTriple().startswith(("aarch64", "arm64"))
        self.registers = AARCH64 if is_arm else X86_64

    def get_register_info(self):
        described = []
        for i, (name, dwarf, generic) in enumerate(self.registers):
            one = {"name": name, "bitsize": 64, "offset": 8 * i, "encoding": "uint", "format": "hex"}
            one.update({"set": 0, "gcc": dwarf, "dwarf": dwarf})
            if generic:
                one["generic"] = generic
            described.append(one)
        return {"sets": ["general"], "registers": described}

    def get_thread_info(self):
        if not self.is_asked:
            self.is_asked = True
            try:
                found = tuza_facts.goroutines(facts_of(self.process))
                parked = [g for g in found if g.started and not g.is_on_thread()]
                self.parked = {FIRST_ID + g.id: g for g in parked[:MOST]}
            except tuza_facts.Missing:
                self.parked = {}
            finally:
                self.is_asked = False
        return [
            {
                "tid": tid,
                "name": "goroutine %d [%s]" % (g.id, g.status()),
                "queue": "goroutines",
                "state": "stopped",
                "stop_reason": "none",
            }
            for tid, g in self.parked.items()
        ]

    def create_thread(self, _tid, _context):
        return None

    def get_register_data(self, tid):
        g = self.parked.get(tid)
        if g is None:
            return None
        # Of the innermost frame LLDB believes that it may stand anywhere, and guesses: so that is
        # one where it guesses right.
        saved = g.registers_in_park()
        return b"".join(struct.pack("=Q", saved.get(r[0], 0)) for r in self.registers)
