package main

import (
	"time"

	hessian "github.com/apache/dubbo-go-hessian2"
	"github.com/apache/dubbo-go-hessian2/java8_time"
	"github.com/apache/dubbo-go-hessian2/java_exception"
	big "github.com/dubbogo/gost/math/big"
)

const api = "metaproxy.interop.api."

// Names of the services.
const (
	demoService     = api + "DemoService"
	greetingService = api + "GreetingService"
)

// Address is the Java class of this name; so are the types below.
type Address struct {
	Street string `hessian:"street"`
	City   string `hessian:"city"`
	Zip    string `hessian:"zip"`
}

func (*Address) JavaClassName() string { return api + "Address" }

// Customer refers to itself.
type Customer struct {
	Name      string    `hessian:"name"`
	Vip       bool      `hessian:"vip"`
	Home      *Address  `hessian:"home"`
	Billing   *Address  `hessian:"billing"`
	InvitedBy *Customer `hessian:"invitedBy"`
}

func (*Customer) JavaClassName() string { return api + "Customer" }

// OrderLine refers back to its order.
type OrderLine struct {
	Sku      string       `hessian:"sku"`
	Quantity int32        `hessian:"quantity"`
	Price    *big.Decimal `hessian:"price"`
	Order    *Order       `hessian:"order"`
}

func (*OrderLine) JavaClassName() string { return api + "OrderLine" }

// OrderState is an enum in Java.
type OrderState hessian.JavaEnum

// States in the order in which Java has them.
const (
	stateOpen OrderState = iota
	statePaid
	stateShipped
)

var states = map[OrderState]string{stateOpen: "OPEN", statePaid: "PAID", stateShipped: "SHIPPED"}

func (OrderState) JavaClassName() string { return api + "OrderState" }

func (state OrderState) String() string { return states[state] }

// EnumValue reads a state from its name.
func (OrderState) EnumValue(name string) hessian.JavaEnum {
	for state, known := range states {
		if known == name {
			return hessian.JavaEnum(state)
		}
	}
	return hessian.InvalidJavaEnum
}

// Order is the main payload.
type Order struct {
	ID        int64                 `hessian:"id" m:"id"`
	Title     string                `hessian:"title"`
	Note      *string               `hessian:"note"`
	State     OrderState            `hessian:"state"`
	Total     *big.Decimal          `hessian:"total"`
	CreatedAt time.Time             `hessian:"createdAt"`
	DueOn     *java8_time.LocalDate `hessian:"dueOn"`
	Customer  *Customer             `hessian:"customer"`
	Lines     []*OrderLine          `hessian:"lines"`
	Labels    map[string]string     `hessian:"labels"`
	ServedBy  string                `hessian:"servedBy"`
}

func (*Order) JavaClassName() string { return api + "Order" }

// PaymentRefused is the declared business exception.
type PaymentRefused struct {
	SerialVersionUID     int64
	DetailMessage        string
	StackTrace           []java_exception.StackTraceElement
	SuppressedExceptions []java_exception.Throwabler
	Cause                java_exception.Throwabler
	OrderID              string       `hessian:"orderId"`
	Limit                *big.Decimal `hessian:"limit"`
}

func (PaymentRefused) JavaClassName() string { return api + "PaymentRefused" }

func (refused PaymentRefused) Error() string { return refused.DetailMessage }

// GetStackTrace makes it an exception of Java.
func (refused PaymentRefused) GetStackTrace() []java_exception.StackTraceElement {
	return refused.StackTrace
}

func init() {
	hessian.RegisterPOJO(&Address{})
	hessian.RegisterPOJO(&Customer{})
	hessian.RegisterPOJO(&OrderLine{})
	hessian.RegisterPOJO(&Order{})
	hessian.RegisterPOJO(&PaymentRefused{})
	for state := range states {
		hessian.RegisterJavaEnum(state)
	}
}

// decimal reads a number that is written in this program.
func decimal(text string) *big.Decimal {
	number := new(big.Decimal)
	if err := number.FromString(text); err != nil {
		panic(err)
	}
	return number
}
