# SPDX-License-Identifier: MIT
#
# LLDB knows goroutines, in live processes and in core files, from a line in ~/.lldbinit:
#
#   command script import /usr/local/share/tuza/tuza_lldb.py
#
#   (lldb) goroutines
#   (lldb) goroutine 7 bt
#   (lldb) goroutine all bt
#   (lldb) thread list
#
# docs/DEBUGGING.md shows what they print. What is known of the library is in tuza_facts.py, which
# gdb's extension uses, too.
#
# Goroutines that do not run are threads besides the real ones: tuza_lldb_threads.py.
import os
import shlex
import sys

import lldb

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import tuza_lldb_threads as threads  # noqa: E402
from tuza_lldb_threads import facts_of, line_of, tuza_facts  # noqa: E402


# ---- commands --------------------------------------------------------------------------------------


def thread_of(process, g):
    """The SBThread that shows the goroutine's frames, or None."""
    tid = g.thread_id() if g.is_on_thread() else threads.FIRST_ID + g.id
    thread = process.GetThreadByID(tid)
    return thread if thread.IsValid() else None


def is_runtime(f, frame):
    if (frame.GetFunctionName() or "").startswith(("tuza_", "__restore_rt")):
        return True  # inline functions of the headers, too; the way into a signal handler
    if f["text.start"]:
        return f["text.start"] <= frame.GetPC() < f["text.end"]
    return (frame.GetModule().GetFileSpec().GetFilename() or "").startswith("libtuza.so")


def user_frame(f, thread):
    """The innermost frame of the program; the innermost one if there is none."""
    for frame in thread:
        if not is_runtime(f, frame):
            return frame
    return thread.GetFrameAtIndex(0)


def where(process, f, g):
    """Where the goroutine stands in the program."""
    if not g.started:
        return f.memory.place_of(g.entry) + " (not started)"
    thread = thread_of(process, g)
    if thread is None:
        return "?"
    frame = user_frame(f, thread)
    return (frame.GetFunctionName() or "0x%x" % frame.GetPC()) + line_of(frame.GetLineEntry())


def list_goroutines(debugger, _command, result, _internal):
    """Lists the goroutines that live: number, state or what it waits for, the object that it waits
    on, and where it is in the program. * marks the one whose frames are shown."""
    process = debugger.GetSelectedTarget().GetProcess()
    try:
        f = facts_of(process)
        found = tuza_facts.goroutines(f)
    except tuza_facts.Missing as reason:
        result.SetError(str(reason))
        return
    current = process.GetSelectedThread().GetThreadID()
    rows = []
    for g in found:
        waits_on = " on 0x%x" % g.object if g.object else ""
        thread = thread_of(process, g) if g.started else None
        mark = "*" if thread is not None and thread.GetThreadID() == current else " "
        rows.append((mark, g.id, g.status() + waits_on, where(process, f, g)))
    width = max([len(row[2]) for row in rows] + [5])
    result.AppendMessage("  %5s  %-*s  %s" % ("Id", width, "State", "Where"))
    for mark, number, state, place in rows:
        result.AppendMessage("%s %5d  %-*s  %s" % (mark, number, width, state, place))


def goroutine(debugger, command, result, _internal):
    """goroutine ID|all COMMAND: runs a command, such as bt, where the goroutine is.
    goroutine ID: its frames are shown from now on, as by `thread select`."""
    words = command.split(None, 1)
    process = debugger.GetSelectedTarget().GetProcess()
    if not words or words[0] != "all" and not words[0].isdigit() or words == ["all"]:
        result.SetError("goroutine ID|all COMMAND, goroutine ID")
        return
    try:
        f = facts_of(process)
        found = tuza_facts.goroutines(f)
    except tuza_facts.Missing as reason:
        result.SetError(str(reason))
        return
    if words[0] != "all":
        found = [g for g in found if g.id == int(words[0])]
        if not found:
            result.SetError("There is no goroutine %s." % words[0])
            return
    before = process.GetSelectedThread()
    for g in found:
        result.AppendMessage("goroutine %d [%s]:" % (g.id, g.status()))
        if not g.started:
            result.AppendMessage("not started: " + f.memory.place_of(g.entry))
        else:
            run_there(debugger, process, f, g, words[1] if len(words) > 1 else "frame info", result)
        if len(words) > 1 and shlex.split(words[1])[0] in ("bt", "backtrace") and g.creation_pc:
            # A return address: the call is before it.
            created = "created by %s" % f.memory.place_of(g.creation_pc - 1)
            created += " in goroutine %d" % g.creator_id if g.creator_id else ""
            result.AppendMessage(created)
        result.AppendMessage("")
    if len(words) > 1:
        process.SetSelectedThread(before)


def run_there(debugger, process, f, g, command, result):
    thread = thread_of(process, g)
    if thread is None:
        result.AppendMessage("its frames are not known")
        return
    process.SetSelectedThread(thread)
    thread.SetSelectedFrame(user_frame(f, thread).GetFrameID())
    answer = lldb.SBCommandReturnObject()
    at = lldb.SBExecutionContext(thread.GetSelectedFrame())
    debugger.GetCommandInterpreter().HandleCommand(command, at, answer, False)
    result.AppendMessage(((answer.GetOutput() or "") + (answer.GetError() or "")).rstrip())


# ---- summaries -------------------------------------------------------------------------------------


def summary(value, _internal):
    """What a channel, a context or a lock says; of pointers to the first two, too."""
    kind = value.GetType().GetCanonicalType()
    is_pointer = kind.IsPointerType()
    name = (kind.GetPointeeType() if is_pointer else kind).GetUnqualifiedType().GetName()
    name = name.replace("struct ", "")
    describe = tuza_facts.BY_POINTER.get(name)
    if not is_pointer:
        describe = describe or tuza_facts.BY_VALUE.get(name)
    address = value.GetValueAsUnsigned() if is_pointer else value.GetLoadAddress()
    if describe is None or address == lldb.LLDB_INVALID_ADDRESS:
        return ""
    if address == 0:
        return "nil"
    try:
        return describe(facts_of(value.GetProcess()), address)
    except tuza_facts.Missing as reason:
        return "? (%s)" % reason


def __lldb_init_module(debugger, _internal):
    module = __name__
    for command in (
        'settings set target.process.python-os-plugin-path "%s"' % os.path.realpath(threads.__file__),
        "command script add -f %s.list_goroutines goroutines" % module,
        "command script add -f %s.goroutine goroutine" % module,
        'type summary add -w tuza -F %s.summary -x "^(struct )?(%s) \\*$"'
        % (module, "|".join(tuza_facts.BY_POINTER)),
        'type summary add -w tuza -F %s.summary -x "^(struct )?(%s)$"'
        % (module, "|".join(list(tuza_facts.BY_POINTER) + list(tuza_facts.BY_VALUE))),
        "type category enable tuza",
    ):
        debugger.HandleCommand(command)
