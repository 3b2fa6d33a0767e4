// Command dubbo-interop is a provider or a consumer on dubbo-go, for the interoperability tests.
package main

import (
	"fmt"
	"os"

	_ "dubbo.apache.org/dubbo-go/v3/cluster/cluster/failover"
	_ "dubbo.apache.org/dubbo-go/v3/cluster/loadbalance/random"
	_ "dubbo.apache.org/dubbo-go/v3/filter/accesslog"
	_ "dubbo.apache.org/dubbo-go/v3/filter/echo"
	_ "dubbo.apache.org/dubbo-go/v3/filter/exec_limit"
	_ "dubbo.apache.org/dubbo-go/v3/filter/generic"
	_ "dubbo.apache.org/dubbo-go/v3/filter/graceful_shutdown"
	_ "dubbo.apache.org/dubbo-go/v3/filter/token"
	_ "dubbo.apache.org/dubbo-go/v3/filter/tps"
	_ "dubbo.apache.org/dubbo-go/v3/protocol/dubbo"
	_ "dubbo.apache.org/dubbo-go/v3/proxy/proxy_factory"
	_ "dubbo.apache.org/dubbo-go/v3/registry/protocol"
	getty "github.com/apache/dubbo-getty"
	"github.com/dubbogo/gost/log/logger"
)

func main() {
	if len(os.Args) < 2 {
		wrong("the first argument is `provider` or `consumer`")
	}
	// Standard output belongs to the tests.
	logger.SetLogger(silent{})
	getty.SetLogger(silent{})
	switch os.Args[1] {
	case "provider":
		provide(parse(os.Args[2:], "port", "label", "group", "version", "heartbeat", "shutdown-wait"))
	case "consumer":
		os.Exit(consume(parse(os.Args[2:], "address", "target", "serialization", "scenario", "option")))
	default:
		wrong("the first argument is `provider` or `consumer`, not `%s`", os.Args[1])
	}
}

// wrong ends the program with what was wrong about its command line.
func wrong(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(2)
}

// flag is one `--name value`.
type flag struct{ name, value string }

// parse reads pairs of `--name value`, of these names.
func parse(words []string, names ...string) []flag {
	var flags []flag
	for at := 0; at < len(words); at += 2 {
		name, found := words[at], false
		for _, known := range names {
			found = found || name == "--"+known
		}
		if !found {
			wrong("unknown flag `%s`; known: %v", name, names)
		}
		if at+1 == len(words) {
			wrong("`%s` needs a value", name)
		}
		flags = append(flags, flag{name[2:], words[at+1]})
	}
	return flags
}

// value is that of the last flag of this name.
func value(flags []flag, name, otherwise string) string {
	for _, one := range flags {
		if one.name == name {
			otherwise = one.value
		}
	}
	return otherwise
}

// silent is a logger that says nothing.
type silent struct{}

func (silent) Info(...any)           {}
func (silent) Warn(...any)           {}
func (silent) Error(...any)          {}
func (silent) Debug(...any)          {}
func (silent) Fatal(...any)          {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Debugf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
