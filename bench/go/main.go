// SPDX-License-Identifier: MIT

// The twin of bench/tuza: the same workloads, the same counting, the same output, for Go.
// main.go corresponds to main.c and so on, file by file and function by function.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A workload has either run or measure.
type workload struct {
	name      string
	operation string          // what one operation is
	run       func(n int) int // does about n operations, checks them, returns how many it did
	measure   func() float64  // takes its own time: ns per operation
	after     func()          // adds what else is known of the counted pass; may be nil
	memory    bool            // its line tells of allocations
}

// How long the counted pass of a workload lasts at scale 1.
const goal = 300 * time.Millisecond

var (
	current workload
	scale   float64
	notes   []string // key=value, in the order of their making
)

func workloads() []workload {
	var all []workload
	for _, topic := range [][]workload{
		spawnWorkloads, taskWorkloads, yieldWorkloads, chanWorkloads, selectWorkloads,
		syncWorkloads, contextWorkloads, groupWorkloads, sleepWorkloads, timerWorkloads,
		treeWorkloads, sieveWorkloads, tcpWorkloads, tlsWorkloads, patternWorkloads,
	} {
		all = append(all, topic...)
	}
	return all
}

// check ends the program when a result is wrong.
func check(right bool, format string, args ...any) {
	if right {
		return
	}
	fmt.Printf("%s wrong: %s\n", current.name, fmt.Sprintf(format, args...))
	os.Exit(1)
}

// note adds key=value to the line.
func note(key, format string, args ...any) {
	notes = append(notes, key+"="+fmt.Sprintf(format, args...))
}

// scaled is a size at this run's scale: n at scale 1 and above, less below, never under least.
func scaled(n, least int) int {
	if scale < 1 {
		n = int(float64(n) * scale)
	}
	return max(n, least)
}

// What a pass consumed.
type usage struct {
	wall   time.Time
	cpu    time.Duration
	allocs uint64
	bytes  uint64
}

func usageNow() usage {
	var memory runtime.MemStats
	if current.memory {
		runtime.ReadMemStats(&memory)
	}
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return usage{
		cpu:    time.Duration(r.Utime.Nano() + r.Stime.Nano()),
		allocs: memory.Mallocs,
		bytes:  memory.TotalAlloc,
		wall:   time.Now(),
	}
}

// repeat runs the workload with growing n until a pass lasts long enough, and counts that one.
// The first pass warms up and never counts.
func repeat() float64 {
	goal := time.Duration(float64(goal) * scale)
	n := 1
	for pass := 0; ; pass++ {
		before := usageNow()
		done := current.run(n)
		took := time.Since(before.wall)
		if pass > 0 && took >= goal {
			after := usageNow()
			note("n", "%d", done)
			note("cpu", "%.0f", 100*float64(after.cpu-before.cpu)/float64(took))
			if current.memory {
				note("allocs", "%.2f", float64(after.allocs-before.allocs)/float64(done))
				note("bytes", "%.2f", float64(after.bytes-before.bytes)/float64(done))
			}
			if current.after != nil {
				current.after()
			}
			return float64(took) / float64(done)
		}
		n = nextCount(n, done, took, goal)
	}
}

// nextCount aims at 1.3 times the goal, and grows at most a hundredfold: early passes mislead.
func nextCount(n, done int, took, goal time.Duration) int {
	if took <= 0 {
		took = 1
	}
	aim := 1.3 * float64(goal) * float64(done) / float64(took)
	switch {
	case aim > 100*float64(n):
		return 100 * n
	case aim < float64(n):
		return n
	case int(aim) == n:
		return n + 1
	}
	return int(aim)
}

// memoryNow is what the process takes of the machine, in bytes: resident pages and page tables.
func memoryNow() int64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err == nil, "/proc/self/status: %v", err)
	var total int64
	for _, line := range strings.Split(string(status), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 3 && (fields[0] == "VmRSS:" || fields[0] == "VmPTE:") {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			total += 1024 * kilobytes
		}
	}
	return total
}

func usageError() {
	fmt.Fprintln(os.Stderr, "usage: bench <workload> <procs> <scale> | --list")
	os.Exit(2)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		for _, w := range workloads() {
			fmt.Printf("%s\t%s\n", w.name, w.operation)
		}
		return
	}
	if len(os.Args) != 4 {
		usageError()
	}
	for _, w := range workloads() {
		if w.name == os.Args[1] {
			current = w
		}
	}
	procs, err := strconv.Atoi(os.Args[2])
	if current.name == "" || err != nil || procs < 1 {
		usageError()
	}
	scale, err = strconv.ParseFloat(os.Args[3], 64)
	if err != nil || scale <= 0 {
		usageError()
	}
	runtime.GOMAXPROCS(procs)
	var ns float64
	if current.measure != nil {
		ns = current.measure()
	} else {
		ns = repeat()
	}
	notes = append(notes, "ok")
	fmt.Printf("%s %.2f %s\n", current.name, ns, strings.Join(notes, " "))
}
