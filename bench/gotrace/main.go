// SPDX-License-Identifier: MIT

// What Go's own traces cost: a round trip over two channels, without, with a flight recorder, and
// with a trace. Twin of that in ../profiles.c.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/trace"
	"slices"
	"strconv"
	"syscall"
)

const (
	rounds     = 7
	roundTrips = 1000000
)

// cpuTime is what the process has burnt, in ns.
func cpuTime() int64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

func trips() {
	in, out := make(chan struct{}), make(chan struct{})
	go func() {
		for range roundTrips {
			<-in
			out <- struct{}{}
		}
	}()
	for range roundTrips {
		in <- struct{}{}
		<-out
	}
}

func measure() float64 {
	began := cpuTime()
	trips()
	return float64(cpuTime()-began) / roundTrips
}

func recorded() float64 {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if recorder.Start() != nil {
		return 0
	}
	defer recorder.Stop()
	trips()
	return measure()
}

func traced() float64 {
	if trace.Start(io.Discard) != nil {
		return 0
	}
	defer trace.Stop()
	return measure()
}

func main() {
	if len(os.Args) > 1 {
		n, _ := strconv.Atoi(os.Args[1])
		runtime.GOMAXPROCS(n)
	}
	var t [3][]float64
	for range rounds {
		for i, f := range []func() float64{measure, recorded, traced} {
			t[i] = append(t[i], f())
		}
	}
	for i := range t {
		slices.Sort(t[i])
	}
	fmt.Printf("Go: round trip over channels, CPU time: off %.0f ns, flight recorder %.0f ns, trace %.0f ns\n",
		t[0][rounds/2], t[1][rounds/2], t[2][rounds/2])
}
