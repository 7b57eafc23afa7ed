# SPDX-License-Identifier: MIT
"""The checks. Each is called with a function and says report(node, message)."""

from . import flow, tree


# ---- goroutines ------------------------------------------------------------------------------------


def modified(nodes, ident):
    """Whether one of the nodes gives the variable another value."""
    for node in nodes:
        kind, opcode = node.kind, node.raw.get("opcode", "")
        if kind == "BinaryOperator" and opcode == "=" or kind == "CompoundAssignOperator":
            if tree.root_variable(node.inner[0], False) == ident:
                return True
        elif kind == "UnaryOperator" and opcode in ("++", "--"):
            if tree.root_variable(node.inner[0], False) == ident:
                return True
        elif kind == "CallExpr" and receives(node, ident):
            return True
    return False


def receives(call, ident):
    name = tree.callee(call) or ""
    if name.startswith(("tuza_chan_recv", "tuza_chan_try_recv", "tuza_select_recv_")):
        return any(tree.address_of(a) == ident for a in tree.arguments(call)[1:])
    return False


def loopclosure(function, report):
    """The address of a variable that the next turn of the loop changes is given to a goroutine."""
    for start, name in changed_by_loops(function):
        report(start.node, "the goroutine gets the address of %s, which the loop changes" % name)


def changed_by_loops(function):
    for start, ident, name in addresses_given(function, False):
        scope = function.scope_of(ident)
        for loop in start.node.above():
            if loop is scope and loop.kind not in tree.LOOPS:
                break
            if loop.kind not in tree.LOOPS:
                continue
            body = loop.inner[0] if loop.kind == "DoStmt" else loop.inner[-1]
            outside = scope is loop or scope.order < loop.order
            if outside and modified(loop.walk(), ident):
                if not function.is_awaited(start.node, body):
                    yield start, name
                    break


def addresses_given(function, elements=True):
    for start in function.starts():
        if start.copied:
            continue
        for given in start.passed:
            ident = tree.address_of(given, elements)
            if ident in function.locals and function.is_automatic(ident):
                yield start, ident, function.locals[ident].name()


def localaddr(function, report):
    """The address of a local variable is given to a goroutine that nobody waits for."""
    by_loops = {start.node.order for start, _name in changed_by_loops(function)}
    for start, ident, name in addresses_given(function):
        scope = function.scope_of(ident)
        if start.node.order not in by_loops and not function.is_awaited(start.node, scope):
            report(start.node, "the goroutine gets the address of %s, which may be gone before it ends" % name)


def waitgroup(function, report):
    """A goroutine adds itself to a waitgroup: the wait may be over before."""
    if function.name() not in function.unit.started():
        return
    adds, dones = [], {}
    last_start = min([s.node.order for s in function.starts()], default=None)
    for call, name in function.calls():
        given = tree.arguments(call)
        if name == "tuza_waitgroup_add" and len(given) == 2 and (tree.number(given[1]) or 0) > 0:
            adds.append((call, given[0]))
        elif name == "tuza_waitgroup_done":
            dones[tree.text(given[0])] = call
    for call, group in adds:
        local = tree.address_of(group)
        if tree.text(group) not in dones or local in function.locals:
            continue
        if last_start is None or last_start < call.order or last_start > dones[tree.text(group)].order:
            report(call, "the goroutine itself adds to the waitgroup: the wait may be over by then")


def sleepwait(function, report):
    """A sleep takes the place of waiting for goroutines."""
    starts = list(function.starts())
    if not starts:
        return
    for call, name in function.calls():
        before = [s for s in starts if s.node.order < call.order]
        if name not in ("tuza_sleep", "tuza_yield", "sleep", "usleep") or not before:
            continue
        if any(n.kind in tree.LOOPS for n in call.above()):
            continue
        if function.is_awaited(before[0].node, function.body):
            continue
        if all(isinstance(s.node, tree.Node) and tree.callee(s.node) in TIMED for s in before):
            continue
        report(call, "%s does not wait for the goroutines that were started" % name)
        return


TIMED = ("tuza_after_func", "tuza_context_after_func")


# ---- copies ----------------------------------------------------------------------------------------

LOCKS = (
    "tuza_mutex", "tuza_rwmutex", "tuza_waitgroup", "tuza_once", "tuza_cond", "tuza_pool",
    "tuza_semaphore", "tuza_singleflight", "tuza_map", "tuza_limiter", "tuza_sometimes",
)  # fmt: skip


def lock_in(unit, type_name, depth=0):
    """The name of the lock that is of this type or lies in it, or None."""
    name = type_name.split("[")[0]
    for word in ("const ", "volatile ", "struct ", "union "):
        name = name.replace(word, "")
    name = name.strip()
    if "*" in type_name or "(" in name or depth > 8:
        return None
    if name in LOCKS:
        return name
    record = unit.records.get(name)
    return lock_in_record(unit, record, depth) if record is not None else None


def lock_in_record(unit, record, depth=0):
    for child in record.inner:
        found = None
        if child.kind == "FieldDecl":
            found = lock_in(unit, child.type(), depth + 1)
        elif child.kind == "RecordDecl":
            found = lock_in_record(unit, child, depth + 1)
        if found:
            return found
    return None


# Where the address of what is copied is among the arguments.
COPIERS = {
    "tuza_go_copy": 1, "tuza_errgroup_go_copy": 2, "tuza_scope_go_copy": 2, "memcpy": 1, "memmove": 1,
    "tuza_chan_send": 1, "tuza_chan_send_sized": 1, "tuza_chan_try_send": 1,
    "tuza_chan_send_ctx": 2, "tuza_select_send_": 1,
}  # fmt: skip


def copylocks(function, report):
    unit = function.unit
    for parameter in function.parameters:
        lock = lock_in(unit, parameter.type())
        if lock:
            report(parameter, "%s is passed by value: it contains a %s" % (parameter.name(), lock))
    for node in function.nodes:
        if node.raw.get("castKind") == "LValueToRValue":
            inside = tree.unwrap(node)
            lock = lock_in(unit, node.type())
            discarded = node.parent.kind == "CStyleCastExpr" and node.parent.type() == "void"
            if lock and inside.kind != "CompoundLiteralExpr" and not discarded:
                report(node, "%s is copied: it contains a %s" % (tree.text(inside), lock))
        elif node.kind == "CallExpr" and tree.callee(node) in COPIERS:
            given = tree.arguments(node)
            at = COPIERS[tree.callee(node)]
            if at < len(given):
                copied_through_pointer(unit, node, given[at], report)


def copied_through_pointer(unit, call, given, report):
    inside = tree.unwrap(given)
    pointer = inside.type()
    if inside.kind == "UnaryOperator" and inside.raw.get("opcode") == "&":
        target = inside.inner[0].type()
    elif inside.kind == "CompoundLiteralExpr":
        return  # tuza_send: what goes into it is seen there
    elif pointer.endswith("*"):
        target = pointer[:-1]
    else:
        target = pointer if tree.decays(given) else ""
    lock = lock_in(unit, target)
    if lock:
        report(call, "%s copies %s: it contains a %s" % (tree.callee(call), tree.text(inside), lock))


# ---- time, contexts, panics ------------------------------------------------------------------------


def afterloop(function, report):
    """tuza_after makes a timer and a channel, which somebody has to release."""
    for call, name in function.calls():
        if name != "tuza_after":
            continue
        user = call.parent
        while user.kind in tree.WRAPPERS:
            user = user.parent
        taker = tree.callee(user) or "" if user.kind == "CallExpr" else ""
        if taker == "tuza_chan_release":
            continue
        if taker.startswith("tuza_") and taker != "tuza_chan_retain":
            report(call, "nobody can release the channel of this tuza_after; TUZA_AFTER needs none")
            continue
        loop = next((n for n in call.above() if n.kind in tree.LOOPS), None)
        if loop is None:
            continue
        released = any(
            n.kind == "CallExpr" and tree.callee(n) == "tuza_chan_release" for n in loop.walk()
        )
        if not released:
            report(call, "tuza_after makes a timer in each turn of the loop; TUZA_AFTER makes none")


def swallowed(function, report):
    """A panic is contained, and nobody learns of it."""
    for call, name in function.calls():
        if name not in ("tuza_try", "tuza_try_with"):
            continue
        user = call.parent
        while user.kind in ("ParenExpr", "CStyleCastExpr"):
            user = user.parent
        if user.kind in STATEMENTS and tree.is_null(tree.arguments(call)[-1]):
            if user.kind == "CompoundStmt" or call_is_body(user, call):
                report(call, "a panic that %s contains here is never heard of" % name)


STATEMENTS = ("CompoundStmt", "IfStmt", "CaseStmt", "DefaultStmt", "LabelStmt") + tree.LOOPS


def call_is_body(statement, call):
    if statement.kind in ("CaseStmt", "DefaultStmt", "LabelStmt"):
        return True
    bodies = statement.inner[1:] if statement.kind == "IfStmt" else statement.inner[-1:]
    if statement.kind == "DoStmt":
        bodies = statement.inner[:1]
    return any(tree.unwrap(body) is call for body in bodies)


def donecond(function, report):
    """tuza_context_done gives a channel: it is no answer to whether the context has ended."""
    for call, name in function.calls():
        if name != "tuza_context_done":
            continue
        node, user = call, call.parent
        while user.kind in tree.WRAPPERS:
            node, user = user, user.parent
        opcode = user.raw.get("opcode")
        conditions = {"IfStmt": 0, "WhileStmt": 0, "ConditionalOperator": 0, "ForStmt": 2, "DoStmt": 1}
        if (
            opcode in ("&&", "||", "!")
            or user.kind in conditions
            and len(user.inner) > conditions[user.kind]
            and user.inner[conditions[user.kind]] is node
        ):
            report(call, "tuza_context_done as a condition is always true; tuza_context_err tells")


def sigchan(function, report):
    """A signal that arrives while nobody receives is lost, where the channel has no room."""
    rooms = {}
    for node in function.nodes:
        if node.kind == "VarDecl" and node.inner:
            rooms[node.raw["id"]] = tree.unwrap(node.inner[0])
        elif node.kind == "BinaryOperator" and node.raw.get("opcode") == "=":
            rooms[tree.variable(node.inner[0])] = tree.unwrap(node.inner[1])
    for call, name in function.calls():
        if name == "tuza_signal_notify_":
            made = rooms.get(tree.variable(tree.arguments(call)[0]))
            if made is not None and made.kind == "CallExpr" and tree.callee(made) == "tuza_chan_new":
                if tree.number(tree.arguments(made)[1]) == 0:
                    report(call, "signals get lost in a channel without room for one")


def defers(function, report):
    """TUZA_DEFER evaluates its argument at once."""
    for node in function.nodes:
        if node.kind == "Defer":
            for argument in tree.arguments(node.inner[0]):
                if any(n.kind == "CallExpr" and tree.callee(n) == "tuza_now" for n in argument.walk()):
                    report(node, "tuza_now is called here, not when the deferred call is made")


def defersend(function, report):
    """A deferred call that sends on a channel may wait for ever while the block is left."""
    for node in function.nodes:
        if node.kind != "Defer":
            continue
        name = tree.callee(node.inner[0])
        body = function.unit.bodies.get(name)
        sends = name in SENDS or body is not None and any(n in SENDS for _c, n in body.calls())
        if sends:
            report(node, "the deferred call of %s sends on a channel: it may wait for ever" % name)


SENDS = ("tuza_chan_send", "tuza_chan_send_sized")

CHECKS = {
    "lostcancel": flow.lostcancel,
    "copylocks": copylocks,
    "waitgroup": waitgroup,
    "loopclosure": loopclosure,
    "localaddr": localaddr,
    "sleepwait": sleepwait,
    "afterloop": afterloop,
    "swallowed": swallowed,
    "donecond": donecond,
    "sigchan": sigchan,
    "defers": defers,
    "defersend": defersend,
}
ON_DEMAND = ("defersend",)  # right as often as wrong
