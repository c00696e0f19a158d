//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is the time the process's threads have run, from schedstat: it counts
// nanoseconds where the usual accounting counts hundredths of a second.
func cpuTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("read the processor time of process %d: it has no threads", pid)
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
		}
		ran, err := parseSchedstat(string(text))
		if err != nil {
			return 0, err
		}
		sum += ran
	}
	return sum, nil
}

// parseSchedstat is the first of its numbers: nanoseconds on a processor.
func parseSchedstat(text string) (time.Duration, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read schedstat %q: %w", text, err)
	}
	return time.Duration(ns), nil
}

// memory is what a process holds, in MiB.
type memory struct {
	resident  float64 // VmRSS
	anonymous float64 // RssAnon: not backed by a file such as the program itself
}

func memoryOf(pid int) (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return parseStatus(string(text))
}

func parseStatus(text string) (memory, error) {
	var m memory
	found := 0
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(line, ":")
		var to *float64
		switch key {
		case "VmRSS":
			to = &m.resident
		case "RssAnon":
			to = &m.anonymous
		default:
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		if err != nil {
			return memory{}, fmt.Errorf("read %s: %w", key, err)
		}
		*to = kib / 1024
		found++
	}
	if found != 2 {
		return memory{}, fmt.Errorf("read the memory of a process: VmRSS and RssAnon are not both there")
	}
	return m, nil
}

// highWater is the most that a process was ever resident with, in MiB.
func highWater(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("read the memory of process %d: VmHWM is not there", pid)
}
