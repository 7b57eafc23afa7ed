// SPDX-License-Identifier: MIT

// The program whose start-up time is measured: one goroutine, started and joined.
package main

func main() {
	done := make(chan struct{})
	go close(done)
	<-done
}
