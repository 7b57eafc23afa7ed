# SPDX-License-Identifier: MIT
"""What must be freed, on all ways through a function: lostcancel.

Each statement maps the states in which it may be entered to those in which it may be left. A state
says of one variable: NOT_YET, or HELD since the call that made it, or DONE (freed or given away).
"""

from . import tree

NOT_YET, HELD, DONE = range(3)

# Who makes what has to be freed, by whom, and what to call it.
CONTEXT = ("context", ("tuza_context_free",))
MAKERS = {
    "tuza_context_with_cancel": CONTEXT,
    "tuza_context_with_deadline": CONTEXT,
    "tuza_context_with_timeout": CONTEXT,
    "tuza_context_with_deadline_cause": CONTEXT,
    "tuza_context_with_timeout_cause": CONTEXT,
    "tuza_context_with_value": CONTEXT,
    "tuza_context_with_value_free": CONTEXT,
    "tuza_context_without_cancel": CONTEXT,
    "tuza_context_notify_signal_": CONTEXT,
    "tuza_context_after_func": ("call at a context's end", ("tuza_context_after_stop",)),
    "tuza_timer_new": ("timer", ("tuza_timer_free",)),
    "tuza_after_func": ("timer", ("tuza_timer_free",)),
    "tuza_ticker_new": ("ticker", ("tuza_ticker_free",)),
    "tuza_after": ("channel of a timer", ("tuza_chan_release",)),
    "tuza_errgroup_new": ("group", ("tuza_errgroup_free",)),
    "tuza_scope_open": ("scope", ("tuza_scope_close",)),
    "tuza_spawn": ("goroutine's handle", ("tuza_join", "tuza_join_ctx", "tuza_detach")),
}
ENDS = ("tuza_panic", "tuza_goexit", "exit", "_exit", "abort", "quick_exit", "err", "errx")


class Exits:
    """How a statement is left other than by its end."""

    def __init__(self):
        self.breaks = set()
        self.continues = set()


class Paths:
    """All ways through `function`, as the variable `ident` sees them."""

    def __init__(self, function, ident, maker):
        self.function = function
        self.ident = ident
        self.maker = maker  # the call
        self.freed_by = MAKERS[tree.callee(maker)][1]
        self.returns = []  # (node, states)
        self.labels = {}
        self.is_freed = False  # anywhere
        for _ in range(3):  # until jumps back have been seen
            self.returns = []
            self.end = self.run(function.body, {NOT_YET}, Exits())

    # ---- expressions

    def given_away(self, call):
        """Whether the call frees the variable or takes it over."""
        name = tree.callee(call)
        given = [i for i, a in enumerate(tree.arguments(call)) if self.is_it(a)]
        if not given or name is None:
            return bool(given)  # through a pointer: unknown
        if name in self.freed_by:
            return True
        if name.startswith("tuza_"):
            return name in tree.STARTERS
        unit = self.function.unit
        body = unit.bodies.get(name)
        if body is None and tree.is_foreign(unit.declared_in.get(name)):
            return True  # of the system's: pthread_create
        return body is not None and body is not self.function and any(
            takes_over(body, i, self.freed_by, ()) for i in given
        )

    def is_it(self, node):
        return tree.variable(node) == self.ident

    def evaluate(self, node, states):
        """The states after the expression."""
        if node is self.maker:
            for child in node.inner:
                states = self.evaluate(child, states)
            return {HELD}
        if node.kind == "BinaryOperator" and node.raw.get("opcode") in ("&&", "||"):
            first = self.evaluate(node.inner[0], states)
            return first | self.evaluate(node.inner[1], first)
        if node.kind == "ConditionalOperator":
            first = self.evaluate(node.inner[0], states)
            return self.evaluate(node.inner[1], first) | self.evaluate(node.inner[2], first)
        if node.kind == "Go":
            gone = any(self.is_it(a) for a in node.inner[0].inner[1:])
            return self.discharge(states) if gone else states
        for child in node.inner:
            states = self.evaluate(child, states)
        gone = False
        if node.kind == "CallExpr":
            gone = self.given_away(node)
        elif node.kind == "BinaryOperator" and node.raw.get("opcode") == "=":
            gone = self.is_it(node.inner[1])
        elif node.kind == "UnaryOperator" and node.raw.get("opcode") == "&":
            gone = self.is_it(node.inner[0])
        elif node.kind in ("InitListExpr", "VarDecl"):
            gone = any(self.is_it(child) for child in node.inner)
        elif node.kind == "ConditionalOperator":
            gone = any(self.is_it(child) for child in node.inner[1:])
        return self.discharge(states) if gone else states

    def discharge(self, states):
        self.is_freed = True
        return {DONE if s == HELD else s for s in states}

    def ends_here(self, node):
        call = tree.unwrap(node)
        return call.kind == "CallExpr" and tree.callee(call) in ENDS

    def null_branch(self, condition):
        """Which way is taken when the variable is NULL: True, False or None (not asked)."""
        node = tree.unwrap(condition)
        if self.is_it(node):
            return False
        opcode = node.raw.get("opcode")
        if node.kind == "UnaryOperator" and opcode == "!":
            inner = self.null_branch(node.inner[0])
            return None if inner is None else not inner
        if node.kind == "BinaryOperator" and opcode in ("==", "!="):
            left, right = node.inner
            if self.is_it(left) and tree.is_null(right):
                return opcode == "=="
        if node.kind == "BinaryOperator" and opcode == "||":
            return True if any(self.null_branch(c) for c in node.inner) else None
        return None

    # ---- statements

    def run(self, node, states, exits):
        kind = node.kind
        if kind == "CompoundStmt":
            for child in node.inner:
                states = self.run(child, states, exits)
            return states
        if kind == "LabelStmt":
            states = states | self.labels.get(node.raw.get("declId"), set())
            return self.run(node.inner[0], states, exits)
        if kind == "GotoStmt":
            self.labels.setdefault(node.raw.get("targetLabelDeclId"), set()).update(states)
            return set()
        if kind == "ReturnStmt":
            for child in node.inner:
                states = self.evaluate(child, states)
                if self.is_it(child):
                    states = self.discharge(states)
            self.returns.append((node, states))
            return set()
        if kind == "BreakStmt":
            exits.breaks |= states
            return set()
        if kind == "ContinueStmt":
            exits.continues |= states
            return set()
        if kind == "IfStmt":
            return self.run_if(node, states, exits)
        if kind in tree.LOOPS:
            return self.run_loop(node, states)
        if kind == "SwitchStmt":
            return self.run_switch(node, states, exits)
        if kind in ("CaseStmt", "DefaultStmt"):
            return self.run(node.inner[-1], states, exits)
        if kind == "Defer":
            return self.discharge(states) if self.given_away(node.inner[0]) else states
        states = self.evaluate(node, states)
        return set() if self.ends_here(node) else states

    def run_if(self, node, states, exits):
        condition = node.inner[0]
        states = self.evaluate(condition, states)
        null = self.null_branch(condition)
        without = {DONE if s == HELD else s for s in states}
        if null is None and any(
            n.kind in ("UnaryOperator", "BinaryOperator") and self.null_branch(n) is not None
            for n in condition.walk()
        ):
            states = without  # if (!CHECK(v != NULL)): either way may be the one of NULL
        then = self.run(node.inner[1], without if null is True else states, exits)
        other = without if null is False else states
        if len(node.inner) > 2:
            other = self.run(node.inner[2], other, exits)
        return then | other

    def run_loop(self, node, states):
        exits = Exits()
        body = node.inner[0] if node.kind == "DoStmt" else node.inner[-1]
        rest = [child for child in node.inner if child is not body]
        if node.kind == "ForStmt":
            states = self.evaluate(rest[0], states)
            rest = rest[1:]
        left = set(states)
        for _ in range(2):
            for child in rest:
                states = self.evaluate(child, states)
            if node.kind != "DoStmt":
                left |= states
            states = self.run(body, states, exits) | exits.continues
            left |= states
            states = states | left
        return exits.breaks if tree.has_no_end(node) else left | exits.breaks

    def run_switch(self, node, states, exits):
        inside = Exits()
        inside.continues = exits.continues
        states = self.evaluate(node.inner[0], states)
        through, has_default = set(), False
        for child in node.inner[-1].inner:
            if child.kind in ("CaseStmt", "DefaultStmt"):
                through = through | states
                has_default = has_default or any(
                    n.kind == "DefaultStmt" for n in child.walk()
                )
            through = self.run(child, through, inside)
        return through | inside.breaks | (set() if has_default else states)


def takes_over(function, index, freed_by, seen):
    """Whether the function frees its parameter number `index`, or keeps it somewhere."""
    if index >= len(function.parameters) or function.id in seen:
        return True
    ident = function.parameters[index].raw["id"]
    for node in function.nodes:
        if node.kind == "CallExpr" or node.kind == "Go":
            call = node.inner[0] if node.kind == "Go" else node
            at = [i for i, a in enumerate(tree.arguments(call)) if tree.variable(a) == ident]
            if not at:
                continue
            name = tree.callee(call)
            if node.kind == "Go" or name in freed_by or name in tree.STARTERS:
                return True
            body = function.unit.bodies.get(name)
            if body is not None and any(
                takes_over(body, i, freed_by, seen + (function.id,)) for i in at
            ):
                return True
        elif node.kind == "BinaryOperator" and node.raw.get("opcode") == "=":
            if tree.variable(node.inner[1]) == ident:
                return True
        elif node.kind in ("InitListExpr", "VarDecl", "ReturnStmt"):
            if any(tree.variable(child) == ident for child in node.inner):
                return True
    return False


def made_variables(function):
    """(variable's id, its name, the call that made it) of each that is made in the function."""
    for node in function.nodes:
        ident = call = None
        if node.kind == "VarDecl" and node.inner:
            ident, name, call = node.raw["id"], node.name(), tree.unwrap(node.inner[0])
        elif node.kind == "BinaryOperator" and node.raw.get("opcode") == "=":
            ident, name, _kind = tree.referenced(node.inner[0])
            call = tree.unwrap(node.inner[1])
        if call is None or call.kind != "CallExpr" or tree.callee(call) not in MAKERS:
            continue
        if ident in function.locals and function.is_automatic(ident):
            yield ident, name, call


def lostcancel(function, report):
    for ident, name, call in made_variables(function):
        what, freed_by = MAKERS[tree.callee(call)]
        if tree.callee(call) == "tuza_after" and any(n.kind in tree.LOOPS for n in call.above()):
            continue  # afterloop's
        paths = Paths(function, ident, call)
        ways = paths.returns + ([(None, paths.end)] if HELD in paths.end else [])
        if not any(HELD in states for _node, states in ways):
            continue
        if not paths.is_freed:
            report(call, "the %s %s is never freed: %s" % (what, name, " or ".join(freed_by)))
            continue
        for node, states in ways:
            if HELD in states and DONE not in states:
                report(call, "the %s %s is not freed on all ways" % (what, name))
                if node is not None:
                    report(node, "this return leaves %s behind" % name)
                break
