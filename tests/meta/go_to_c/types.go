// SPDX-License-Identifier: MIT

// Checks the types of the Go blocks of docs/GO-TO-C.md (go_to_c_test.sh): go run types.go FILE...
// What a block makes it need not use; what blocks take for granted is in `given`.
package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"strings"
)

const given = `
type request struct{}
var (
	wg                                     sync.WaitGroup
	mu                                     sync.Mutex
	rw                                     sync.RWMutex
	cond                                   = sync.NewCond(&mu)
	flights                                singleflight.Group
	dialer                                 net.Dialer
	c, in, jobs, results                   chan int
	quit, urgent, normal                   chan struct{}
	channels                               []chan int
	ctx, parent                            context.Context
	v, cached                              int
	ready                                  bool
	host, path, url                        string
	key, s                                 any
	err, errGone, errBusy                  error
	when                                   time.Time
	buffer                                 []byte
	server                                 *http.Server
)
func greet(name string, times int)         {}
func process(id, price int)                {}
func fetch(i int, wg *sync.WaitGroup)      {}
func use(v int)                            {}
func run(job int)                          {}
func work(job int) int                     { return job }
func compute() int                         { return 42 }
func task()                                {}
func connect(host string)                  {}
func fill(b []byte)                        {}
func expire()                              {}
func clean()                               {}
func risky(r request)                      {}
func serve(conn net.Conn)                  {}
func query() (any, error)                  { return nil, nil }
func get(ctx context.Context, url string) error             { return nil }
func cube(ctx context.Context, in <-chan int) <-chan int    { return in }
func merge(outs ...<-chan int) <-chan int                   { return outs[0] }
`

// The packages that are not in the standard library.
var outside = map[string]string{
	"golang.org/x/sync/errgroup": `package errgroup
import "context"
type Group struct{}
func WithContext(ctx context.Context) (*Group, context.Context) { return nil, ctx }
func (*Group) Go(f func() error) {}
func (*Group) SetLimit(n int) {}
func (*Group) Wait() error { return nil }`,
	"golang.org/x/sync/semaphore": `package semaphore
import "context"
type Weighted struct{}
func NewWeighted(n int64) *Weighted { return nil }
func (*Weighted) Acquire(ctx context.Context, n int64) error { return nil }
func (*Weighted) Release(n int64) {}`,
	"golang.org/x/sync/singleflight": `package singleflight
type Group struct{}
func (*Group) Do(key string, fn func() (any, error)) (v any, err error, shared bool) { return }`,
	"golang.org/x/time/rate": `package rate
import ("context"; "time")
type Limit float64
type Limiter struct{}
func Every(d time.Duration) Limit { return 0 }
func NewLimiter(r Limit, b int) *Limiter { return nil }
func (*Limiter) Wait(ctx context.Context) error { return nil }
func (*Limiter) Allow() bool { return false }`,
}

var paths = map[string]string{"atomic": "sync/atomic", "http": "net/http", "exec": "os/exec", "signal": "os/signal"}

type packages struct {
	fset     *token.FileSet
	standard types.Importer
	made     map[string]*types.Package
}

func (p *packages) Import(path string) (*types.Package, error) {
	text, ok := outside[path]
	if !ok {
		return p.standard.Import(path)
	}
	if p.made[path] == nil {
		file, err := parser.ParseFile(p.fset, path, text, 0)
		if err != nil {
			return nil, err
		}
		made, err := (&types.Config{Importer: p}).Check(path, p.fset, []*ast.File{file}, nil)
		if err != nil {
			return nil, err
		}
		p.made[path] = made
	}
	return p.made[path], nil
}

// A whole file of a block: what it uses is imported, and statements are in a function.
func whole(block string) string {
	if !regexp.MustCompile(`(?m)^func `).MatchString(block) {
		result, end := "", ""
		if regexp.MustCompile(`(?m)^\s*return \S`).MatchString(block) {
			result, end = "error ", "return nil\n"
		}
		block = "func block() " + result + "{\n" + block + end + "}\n"
	}
	text := block
	for _, part := range strings.SplitAfter(given, "\n") { // unless the block has its own
		if name := regexp.MustCompile(`^func (\w+)`).FindStringSubmatch(part); name != nil &&
			strings.Contains(block, "\nfunc "+name[1]+"(") {
			continue
		}
		text += part
	}
	if !strings.Contains(block, "type order ") {
		text += "type order struct{ id, price int }\nvar anOrder order\n"
		text = strings.ReplaceAll(text, "(order.id, order.price)", "(anOrder.id, anOrder.price)")
	}
	imports, seen := "", map[string]bool{}
	for _, used := range regexp.MustCompile(`\b([a-z]+)\.[A-Z]`).FindAllStringSubmatch(text, -1) {
		path := used[1]
		for known := range outside {
			if strings.HasSuffix(known, "/"+path) {
				path = known
			}
		}
		if paths[path] != "" {
			path = paths[path]
		}
		if !seen[path] && regexp.MustCompile(`^(golang\.org/.*|context|errors|fmt|io|log|net|net/http|os|os/exec|os/signal|reflect|runtime|sync|sync/atomic|syscall|time)$`).MatchString(path) {
			seen[path] = true
			imports += fmt.Sprintf("import %q\n", path)
		}
	}
	return "package p\n" + imports + text
}

func main() {
	fset := token.NewFileSet()
	known := &packages{fset, importer.ForCompiler(fset, "source", nil), map[string]*types.Package{}}
	wrong := 0
	for _, name := range os.Args[1:] {
		block, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		report := func(err error) {
			if e, ok := err.(types.Error); ok && e.Soft {
				return
			}
			fmt.Println(err)
			wrong++
		}
		file, err := parser.ParseFile(fset, name, whole(string(block)), 0)
		if err != nil {
			report(err)
			continue
		}
		config := types.Config{Importer: known, Error: report}
		config.Check("p", fset, []*ast.File{file}, nil)
	}
	fmt.Printf("%d Go blocks, %d wrong\n", len(os.Args)-1, wrong)
	if wrong > 0 {
		os.Exit(1)
	}
}
