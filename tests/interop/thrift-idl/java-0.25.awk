# Fits services that the compiler 0.17 wrote for Java to libthrift 0.25: no asynchronous half, and processors that
# say how an empty result is made.
/^  public interface AsyncIface/ || /^  public static class Async(Client|Processor)/ { is_dropped = 1 }
is_dropped { if ($0 == "  }") is_dropped = 0; next }
/ProcessFunction<I, [A-Za-z]*_args> \{/ {
    match($0, /[A-Za-z]*_args> /)
    method = substr($0, RSTART, RLENGTH - 7)
    is_oneway = method == "note"
    result = is_oneway ? "org.apache.thrift.TBase" : method "_result"
    sub(/_args> \{/, "_args, " result "> {")
}
{ gsub(/ProcessFunction<I, \? extends +org\.apache\.thrift\.TBase>/, "ProcessFunction<I, ? extends org.apache.thrift.TBase, ? extends org.apache.thrift.TBase>") }
/protected boolean isOneway/ {
    print "      public " result " getEmptyResultInstance() {"
    print "        return " (is_oneway ? "null" : "new " result "()") ";"
    print "      }"
    print ""
    print "      @Override"
    sub(/protected/, "public")
}
{ print }
