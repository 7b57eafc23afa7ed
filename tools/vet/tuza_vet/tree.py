# SPDX-License-Identifier: MIT
"""The syntax tree of a source file, as clang dumps it, and questions about it.

The tree is clang's: kinds of nodes have its names. Two are ours: Go and Defer, whose one child is the
call that the statement makes. What is not evaluated (sizeof) has no children.
"""

import os
import re

WRAPPERS = ("ParenExpr", "ImplicitCastExpr", "CStyleCastExpr", "ConstantExpr", "FullExpr")
LOOPS = ("ForStmt", "WhileStmt", "DoStmt")

# Who starts a goroutine: where the function and its argument are among the arguments.
STARTERS = {
    "tuza_go": (0, 1),
    "tuza_go_copy": (0, None),
    "tuza_go_with": (1, 2),
    "tuza_spawn": (0, 1),
    "tuza_waitgroup_go": (1, 2),
    "tuza_errgroup_go": (1, 2),
    "tuza_errgroup_try_go": (1, 2),
    "tuza_errgroup_go_copy": (1, None),
    "tuza_scope_go": (1, 2),
    "tuza_scope_go_copy": (1, None),
    "tuza_after_func": (1, 2),
    "tuza_context_after_func": (1, 2),
}
WAITS = re.compile(
    r"tuza_(waitgroup_wait|join|chan_recv|chan_send|select|errgroup_(wait|free)|scope_close"
    r"|cond_wait|semaphore_(wait|acquire)|parallel|supervise|leak_(check|verify)|http_server_"
    r"|accept|read|conn_|goexit|timer_(stop|free)|context_after_stop)|pthread_join|sem_wait|pause|sigwait|read|poll|epoll_wait|exit|abort|_exit"
)
POLLS = ("tuza_yield", "tuza_sleep", "tuza_sleep_ctx", "sched_yield", "usleep", "nanosleep")


class Node:
    """One node; `at` is (file, line, column), `order` its place in the file."""

    __slots__ = ("kind", "inner", "raw", "at", "parent", "order")

    def __init__(self, raw, parent, order):
        self.kind = raw.get("kind", "")
        self.raw = raw
        self.parent = parent
        self.order = order
        self.at = None
        self.inner = []

    def name(self):
        return self.raw.get("name", "")

    def type(self):
        return self.raw.get("type", {}).get("qualType", "")

    def walk(self):
        """This node and all below it, in the order of the source."""
        yield self
        for child in self.inner:
            yield from child.walk()

    def above(self):
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


class Reader:
    """Makes nodes of clang's JSON. A position leaves out the file and the line of the one before."""

    def __init__(self):
        self.file = self.line = None
        self.count = 0

    def bare(self, loc):
        self.file = loc.get("file", self.file)
        self.line = loc.get("line", self.line)
        return (self.file, self.line, loc["col"]) if "col" in loc else None

    def position(self, loc):
        if "expansionLoc" not in loc:
            return self.bare(loc)
        self.bare(loc["spellingLoc"])
        return self.bare(loc["expansionLoc"])

    def read(self, raw, parent=None):
        node = Node(raw, parent, self.count)
        self.count += 1
        for key, value in raw.items():
            if key == "loc":
                node.at = self.position(value)
            elif key == "range":
                begin = self.position(value["begin"])
                node.at = node.at or begin
                self.position(value["end"])
            elif key == "inner":
                node.inner = [self.read(child, node) for child in value]
        if node.kind == "UnaryExprOrTypeTraitExpr":
            node.inner = []
        self.statement(node)
        return node

    @staticmethod
    def statement(node):
        if node.kind != "BinaryOperator" or node.raw.get("opcode") != "," or len(node.inner) != 2:
            return
        kinds = {"tuza_vet_go_": "Go", "tuza_vet_defer_": "Defer"}
        marker = unwrap(node.inner[0])
        if marker.kind == "CallExpr" and callee(marker) in kinds:
            node.kind = kinds[callee(marker)]
            call = unwrap(node.inner[1])
            call.parent = node
            node.inner = [call]


def unwrap(node):
    """The expression without parentheses and casts."""
    while node.kind in WRAPPERS and node.inner:
        node = node.inner[-1]
    return node


def referenced(node):
    """The declaration that an expression names: (id, name, kind), or Nones."""
    node = unwrap(node)
    decl = node.raw.get("referencedDecl", {}) if node.kind == "DeclRefExpr" else {}
    return decl.get("id"), decl.get("name"), decl.get("kind")


def callee(call):
    return referenced(call.inner[0])[1] if call.inner else None


def arguments(call):
    return call.inner[1:]


def variable(node):
    """The id of the variable that the expression is, or None."""
    ident, _name, kind = referenced(node)
    return ident if kind in ("VarDecl", "ParmVarDecl") else None


def root_variable(node, elements=True):
    """The id of the variable that the object lies in: v, v.x, v[1] if `elements`; not v->x."""
    node = unwrap(node)
    while True:
        if node.kind == "MemberExpr" and not node.raw.get("isArrow"):
            node = unwrap(node.inner[0])
        elif elements and node.kind == "ArraySubscriptExpr" and decays(node.inner[0]):
            node = unwrap(node.inner[0])
        else:
            return variable(node)


def decays(node):
    while node.kind in WRAPPERS and node.inner:
        if node.raw.get("castKind") == "ArrayToPointerDecay":
            return True
        node = node.inner[-1]
    return False


def address_of(node, elements=True):
    """The id of the variable whose address, or that of a part of it, the expression is."""
    inside = unwrap(node)
    if inside.kind == "UnaryOperator" and inside.raw.get("opcode") == "&":
        return root_variable(inside.inner[0], elements)
    return root_variable(inside, elements) if decays(node) else None


def text(node):
    """An expression as text, to compare and to show."""
    node = unwrap(node)
    if node.kind == "DeclRefExpr":
        return referenced(node)[1] or "?"
    parts = [text(child) for child in node.inner]
    if node.kind == "MemberExpr":
        return parts[0] + ("->" if node.raw.get("isArrow") else ".") + node.name()
    if node.kind == "UnaryOperator" and parts:
        op = node.raw.get("opcode", "?")
        return parts[0] + op if node.raw.get("isPostfix") else op + parts[0]
    if node.kind == "ArraySubscriptExpr":
        return "%s[%s]" % tuple(parts)
    return node.raw.get("value", "(%s %s)" % (node.raw.get("opcode", node.kind), " ".join(parts)))


def number(node):
    node = unwrap(node)
    try:
        return int(node.raw["value"]) if node.kind == "IntegerLiteral" else None
    except ValueError:
        return None


def is_null(node):
    if node.raw.get("castKind") == "NullToPointer":
        return True
    if node.kind in WRAPPERS and node.inner:
        return is_null(node.inner[-1])
    return number(node) == 0


class Start:
    """A go statement or a call that starts a goroutine."""

    def __init__(self, node, function, passed, copied):
        self.node = node  # Go or CallExpr
        self.function = function  # its name, or None
        self.passed = passed  # expressions
        self.copied = copied


class Function:
    def __init__(self, unit, node):
        self.unit = unit
        self.node = node
        self.id = node.raw["id"]
        self.body = next(c for c in node.inner if c.kind == "CompoundStmt")
        self.parameters = [c for c in node.inner if c.kind == "ParmVarDecl"]
        self.nodes = list(self.body.walk())
        self.locals = {n.raw["id"]: n for n in self.nodes if n.kind == "VarDecl"}

    def name(self):
        return self.node.name()

    def calls(self):
        for node in self.nodes:
            if node.kind == "CallExpr":
                yield node, callee(node)

    def starts(self):
        for node in self.nodes:
            if node.kind == "Go" and node.inner[0].kind == "CallExpr":
                call = node.inner[0]
                yield Start(node, callee(call), arguments(call), False)
            elif node.kind == "CallExpr" and callee(node) in STARTERS:
                fn, arg = STARTERS[callee(node)]
                given = arguments(node)
                if len(given) > fn:
                    passed = [given[arg]] if arg is not None else []
                    yield Start(node, referenced(given[fn])[1], passed, arg is None)

    def is_automatic(self, ident):
        """Whether the variable lies on this function's stack."""
        decl = self.locals.get(ident)
        if decl is not None:
            return decl.raw.get("storageClass") not in ("static", "extern")
        return any(p.raw["id"] == ident for p in self.parameters)

    def scope_of(self, ident):
        """The statement at whose end the variable is gone."""
        decl = self.locals.get(ident)
        if decl is None:
            return self.body
        for node in decl.above():
            if node.kind in ("CompoundStmt",) + LOOPS:
                return node
        return self.body

    def is_awaited(self, start, scope):
        """Whether something that may wait comes between the start and the end of the scope."""
        last = max(n.order for n in start.walk())
        if any(n.kind == "CallExpr" and self.unit.may_wait(n) for n in start.above()):
            return True  # tuza_join(tuza_spawn(…))
        for node in scope.walk():
            if node.kind == "Defer" and self.unit.may_wait(node.inner[0]):
                return True
            if node.order <= last:
                continue
            if node.kind == "CallExpr" and self.unit.may_wait(node):
                return True
            if node.kind in LOOPS and polls_or_never_ends(node):
                return True
        return False


def polls_or_never_ends(loop):
    body = loop.inner[0] if loop.kind == "DoStmt" else loop.inner[-1]
    started = any(n.kind == "Go" or n.kind == "CallExpr" and callee(n) in STARTERS for n in body.walk())
    if not started and any(n.kind == "CallExpr" and callee(n) in POLLS for n in body.walk()):
        return True
    if any(n.kind in ("BreakStmt", "ReturnStmt", "GotoStmt") for n in body.walk()):
        return False
    return has_no_end(loop)


def has_no_end(loop):
    """for (;;), while (1): it is left by a jump or not at all."""
    if loop.kind == "ForStmt":
        return loop.inner[2].kind == ""  # no condition
    return number(loop.inner[0] if loop.kind == "WhileStmt" else loop.inner[-1]) == 1


class Unit:
    """A source file with all that it includes."""

    def __init__(self, raw):
        self.root = Reader().read(raw)
        self.functions = {}
        self.bodies = {}  # by name: a call names one of several declarations
        self.declared_in = {}
        self.records = {}
        self.waiting = {}
        self.goroutines = None
        self.find(self.root)

    def find(self, node):
        for child in node.inner:
            if child.kind == "FunctionDecl":
                self.declared_in.setdefault(child.name(), child.at[0] if child.at else None)
                if any(c.kind == "CompoundStmt" for c in child.inner):
                    function = Function(self, child)
                    self.functions[function.id] = function
                    self.bodies[child.name()] = function
        for node in self.root.walk():
            if node.kind == "RecordDecl" and node.raw.get("completeDefinition"):
                self.records[node.name() or node.raw["id"]] = node
            elif node.kind == "TypedefDecl":
                self.typedef(node)

    def typedef(self, node):
        for inside in node.walk():
            decl = inside.raw.get("decl") or inside.raw.get("ownedTagDecl")
            if inside.kind == "RecordType" and decl and "*" not in node.type():
                record = self.records.get(decl.get("name") or decl["id"])
                if record is not None:
                    self.records.setdefault(node.name(), record)
                return

    def checked(self):
        """The functions of the user's own files."""
        return [f for f in self.functions.values() if f.node.at and not is_foreign(f.node.at[0])]

    def started(self):
        """The names of the functions that goroutines are started with."""
        if self.goroutines is None:
            starts = [start for f in self.functions.values() for start in f.starts()]
            self.goroutines = {start.function for start in starts if start.function}
        return self.goroutines

    def may_wait(self, call):
        """Whether the call may wait for somebody; what is not known may."""
        name = callee(call)
        if name is None:
            return True  # through a pointer
        if WAITS.match(name):
            return True
        if name in self.bodies:
            return self.function_waits(name)
        file = self.declared_in.get(name)
        return file is not None and not is_foreign(file)

    def function_waits(self, name):
        if name not in self.waiting:
            self.waiting[name] = False  # while it is looked at: recursion
            body = self.bodies[name]
            deferred = [n.inner[0] for n in body.nodes if n.kind == "Defer"]
            calls = [call for call, _name in body.calls()] + deferred
            self.waiting[name] = any(self.may_wait(call) for call in calls) or any(
                n.kind in LOOPS and polls_or_never_ends(n) for n in body.nodes
            )
        return self.waiting[name]


HERE = {}


def is_foreign(file):
    """Whether it is a header of the system's or of tuza's."""
    if file is None or file.startswith("<"):
        return True
    folder = os.path.dirname(file)
    if folder not in HERE:
        HERE[folder] = os.path.exists(os.path.join(folder, "goroutine.h")) and os.path.exists(
            os.path.join(folder, "tuza.h")
        )
    return HERE[folder] or file.startswith(("/usr/include", "/usr/lib"))
