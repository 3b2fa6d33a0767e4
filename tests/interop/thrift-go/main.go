// Apache Thrift's Go library as server and client; see the README beside the folder.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// texts is a flag that may be given several times.
type texts []string

func (t *texts) String() string { return strings.Join(*t, ",") }

func (t *texts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

func port(address string) string {
	return address[strings.LastIndexByte(address, ':')+1:]
}

func run() error {
	var wires, targets, scenarios, given texts
	flags := flag.NewFlagSet("thrift-interop", flag.ExitOnError)
	label := flags.String("label", "", "what whoAmI answers")
	flags.Var(&wires, "serve", "TRANSPORT/PROTOCOL[/multiplexed]")
	flags.Var(&targets, "target", "NAME=WIRE@HOST:PORT")
	flags.Var(&scenarios, "scenario", "all that the wire allows, if none is named")
	flags.Var(&given, "header", "KEY=VALUE")
	if len(os.Args) < 2 {
		return fmt.Errorf("usage: server --label L --serve WIRE ... | client --target NAME=WIRE@HOST:PORT ...")
	}
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	switch os.Args[1] {
	case "server":
		return serve(*label, wires)
	case "client":
		headers := map[string]string{}
		for _, header := range given {
			key, value, _ := strings.Cut(header, "=")
			headers[key] = value
		}
		failed, err := runAll(targets, scenarios, headers)
		if failed {
			os.Exit(1)
		}
		return err
	}
	return fmt.Errorf("%s: server or client", os.Args[1])
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
