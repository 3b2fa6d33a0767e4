package metaproxy.interop.thrift.ident;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.apache.thrift.TBase;
import org.apache.thrift.TException;
import org.apache.thrift.TFieldIdEnum;
import org.apache.thrift.protocol.TField;
import org.apache.thrift.protocol.TList;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.protocol.TStruct;
import org.apache.thrift.protocol.TType;

/** Written by hand in the manner of the compiler's output: struct Ident of ident.thrift, with uuids. */
public final class Ident implements TBase<Ident, Ident.Fields> {
    private static final long serialVersionUID = 1;

    /** The fields. */
    public enum Fields implements TFieldIdEnum {
        ID,
        MORE;

        @Override
        public short getThriftFieldId() {
            return (short) (ordinal() + 1);
        }

        @Override
        public String getFieldName() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    private UUID id;
    private ArrayList<UUID> more;

    public Ident() {}

    public Ident(UUID id, List<UUID> more) {
        this.id = id;
        this.more = more == null ? null : new ArrayList<>(more);
    }

    public Ident(Ident other) {
        this.id = other.id;
        this.more = other.more;
    }

    @Override
    public void read(TProtocol input) throws TException {
        input.readStructBegin();
        for (TField field = input.readFieldBegin(); field.type != TType.STOP; field = input.readFieldBegin()) {
            if (field.id == 1 && field.type == TType.UUID) {
                id = input.readUuid();
            } else if (field.id == 2 && field.type == TType.LIST) {
                TList list = input.readListBegin();
                more = new ArrayList<>();
                for (int n = 0; n < list.size; n++) {
                    more.add(input.readUuid());
                }
                input.readListEnd();
            } else {
                input.skip(field.type);
            }
            input.readFieldEnd();
        }
        input.readStructEnd();
    }

    @Override
    public void write(TProtocol output) throws TException {
        output.writeStructBegin(new TStruct("Ident"));
        if (id != null) {
            output.writeFieldBegin(new TField("id", TType.UUID, (short) 1));
            output.writeUuid(id);
            output.writeFieldEnd();
        }
        if (more != null) {
            output.writeFieldBegin(new TField("more", TType.LIST, (short) 2));
            output.writeListBegin(new TList(TType.UUID, more.size()));
            for (UUID one : more) {
                output.writeUuid(one);
            }
            output.writeListEnd();
            output.writeFieldEnd();
        }
        output.writeFieldStop();
        output.writeStructEnd();
    }

    @Override
    public Fields fieldForId(int number) {
        return number >= 1 && number <= 2 ? Fields.values()[number - 1] : null;
    }

    @Override
    public boolean isSet(Fields field) {
        return getFieldValue(field) != null;
    }

    @Override
    public Object getFieldValue(Fields field) {
        return field == Fields.ID ? id : more;
    }

    @Override
    @SuppressWarnings("unchecked")
    public void setFieldValue(Fields field, Object value) {
        if (field == Fields.ID) {
            id = (UUID) value;
        } else {
            more = (ArrayList<UUID>) value;
        }
    }

    /** Generated code calls it; there is nothing that it requires. */
    public void validate() {}

    @Override
    public Ident deepCopy() {
        return new Ident(id, more);
    }

    @Override
    public void clear() {
        id = null;
        more = null;
    }

    @Override
    public int compareTo(Ident other) {
        return toString().compareTo(other.toString());
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Ident ident && Objects.equals(id, ident.id) && Objects.equals(more, ident.more);
    }

    @Override
    public int hashCode() {
        return Objects.hash(id, more);
    }

    @Override
    public String toString() {
        return "Ident(" + id + ", " + more + ")";
    }
}
