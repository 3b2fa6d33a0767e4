// Package ident is written by hand in the manner of the compiler's output: struct Ident of ident.thrift, with uuids.
package ident

import (
	"context"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"
)

// GoUnusedProtection__ is what generated packages that use this one refer to.
var GoUnusedProtection__ int

// Ident is a uuid and more of them.
type Ident struct {
	ID   thrift.Tuuid
	More []thrift.Tuuid
}

// Read reads a struct.
func (p *Ident) Read(ctx context.Context, iprot thrift.TProtocol) error {
	if _, err := iprot.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, kind, id, err := iprot.ReadFieldBegin(ctx)
		if err != nil {
			return err
		}
		switch {
		case kind == thrift.STOP:
			return iprot.ReadStructEnd(ctx)
		case id == 1 && kind == thrift.UUID:
			p.ID, err = iprot.ReadUUID(ctx)
		case id == 2 && kind == thrift.LIST:
			err = p.readMore(ctx, iprot)
		default:
			err = iprot.Skip(ctx, kind)
		}
		if err != nil {
			return err
		}
		if err := iprot.ReadFieldEnd(ctx); err != nil {
			return err
		}
	}
}

func (p *Ident) readMore(ctx context.Context, iprot thrift.TProtocol) error {
	_, size, err := iprot.ReadListBegin(ctx)
	if err != nil {
		return err
	}
	p.More = []thrift.Tuuid{}
	for range size {
		one, err := iprot.ReadUUID(ctx)
		if err != nil {
			return err
		}
		p.More = append(p.More, one)
	}
	return iprot.ReadListEnd(ctx)
}

// Write writes a struct.
func (p *Ident) Write(ctx context.Context, oprot thrift.TProtocol) error {
	steps := []func() error{
		func() error { return oprot.WriteStructBegin(ctx, "Ident") },
		func() error { return oprot.WriteFieldBegin(ctx, "id", thrift.UUID, 1) },
		func() error { return oprot.WriteUUID(ctx, p.ID) },
		func() error { return oprot.WriteFieldEnd(ctx) },
	}
	if p.More != nil {
		steps = append(steps, p.writeMore(ctx, oprot)...)
	}
	steps = append(steps,
		func() error { return oprot.WriteFieldStop(ctx) },
		func() error { return oprot.WriteStructEnd(ctx) },
	)
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Ident) writeMore(ctx context.Context, oprot thrift.TProtocol) []func() error {
	steps := []func() error{
		func() error { return oprot.WriteFieldBegin(ctx, "more", thrift.LIST, 2) },
		func() error { return oprot.WriteListBegin(ctx, thrift.UUID, len(p.More)) },
	}
	for _, one := range p.More {
		steps = append(steps, func() error { return oprot.WriteUUID(ctx, one) })
	}
	return append(steps,
		func() error { return oprot.WriteListEnd(ctx) },
		func() error { return oprot.WriteFieldEnd(ctx) },
	)
}

// Equals says whether both hold the same.
func (p *Ident) Equals(other *Ident) bool {
	return fmt.Sprint(p) == fmt.Sprint(other)
}

func (p *Ident) String() string {
	if p == nil {
		return "<nil>"
	}
	return fmt.Sprintf("Ident(%+v)", *p)
}
