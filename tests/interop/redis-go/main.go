// go-redis as a client; see redis.md beside the folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// patience is how long a scenario may take.
const patience = 30 * time.Second

// able is what runs scenarios against one address.
type able struct {
	context.Context
	address string
	prefix  string
	resp    int
	user    string
}

func (a *able) key(name string) string { return a.prefix + name }

func (a *able) keys(names ...string) []string {
	made := make([]string, 0, len(names))
	for _, name := range names {
		made = append(made, a.key(name))
	}
	return made
}

// run runs one scenario; what it requires in vain, it panics with.
func (a *able) run(do func(*able)) error {
	var stop context.CancelFunc
	a.Context, stop = context.WithTimeout(context.Background(), patience)
	defer stop()
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		do(a)
	}()
	select {
	case why := <-ended:
		if why != nil {
			return fmt.Errorf("%v", why)
		}
		return nil
	case <-a.Done():
		return fmt.Errorf("did not end in time")
	}
}

func main() {
	a := &able{}
	flags := flag.NewFlagSet("redis-interop", flag.ExitOnError)
	flags.StringVar(&a.prefix, "prefix", "go-redis:", "begins all keys, channels and names")
	flags.IntVar(&a.resp, "resp", 0, "protocol version; the library decides if none is given")
	flags.StringVar(&a.user, "user", "", "NAME:PASSWORD, as whom the scenario auth logs in")
	if len(os.Args) < 2 || flags.Parse(os.Args[2:]) != nil {
		fmt.Fprintln(os.Stderr, "usage: redis-interop HOST:PORT [-prefix P] [-resp 2|3] [-user NAME:PASSWORD] [SCENARIO ...]")
		os.Exit(2)
	}
	a.address = os.Args[1]
	code := 0
	for _, one := range scenarios {
		without := one.resp3 && a.resp == 2 || one.user && a.user == ""
		if chosen := flags.Args(); len(chosen) == 0 && without || len(chosen) > 0 && !contains(chosen, one.name) {
			continue
		}
		if err := a.run(one.do); err != nil {
			code = 1
			fmt.Printf("failed %s: %.500s\n", one.name, strings.Join(strings.Fields(err.Error()), " "))
		} else {
			fmt.Println("ok " + one.name)
		}
	}
	os.Exit(code)
}

func contains(names []string, name string) bool {
	for _, one := range names {
		if one == name {
			return true
		}
	}
	return false
}
