package metaproxy.interop.api;

import java.io.Serializable;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One field of each plain Java type. */
public class Sample implements Serializable {
    private boolean flag;
    private byte tiny;
    private short small;
    private char letter;
    private int number;
    private long big;
    private Float single;
    private double real;
    private Integer missing;
    private byte[] bytes;
    private int[] numbers;
    private long[] bigs;
    private double[] reals;
    private String[] words;
    private List<Long> linked;
    private Set<String> tags;
    private Map<String, Integer> sorted;
    private LocalDateTime at;
    private Object anything;

    public boolean isFlag() {
        return flag;
    }

    public void setFlag(boolean flag) {
        this.flag = flag;
    }

    public byte getTiny() {
        return tiny;
    }

    public void setTiny(byte tiny) {
        this.tiny = tiny;
    }

    public short getSmall() {
        return small;
    }

    public void setSmall(short small) {
        this.small = small;
    }

    public char getLetter() {
        return letter;
    }

    public void setLetter(char letter) {
        this.letter = letter;
    }

    public int getNumber() {
        return number;
    }

    public void setNumber(int number) {
        this.number = number;
    }

    public long getBig() {
        return big;
    }

    public void setBig(long big) {
        this.big = big;
    }

    public Float getSingle() {
        return single;
    }

    public void setSingle(Float single) {
        this.single = single;
    }

    public double getReal() {
        return real;
    }

    public void setReal(double real) {
        this.real = real;
    }

    public Integer getMissing() {
        return missing;
    }

    public void setMissing(Integer missing) {
        this.missing = missing;
    }

    public byte[] getBytes() {
        return bytes;
    }

    public void setBytes(byte[] bytes) {
        this.bytes = bytes;
    }

    public int[] getNumbers() {
        return numbers;
    }

    public void setNumbers(int[] numbers) {
        this.numbers = numbers;
    }

    public long[] getBigs() {
        return bigs;
    }

    public void setBigs(long[] bigs) {
        this.bigs = bigs;
    }

    public double[] getReals() {
        return reals;
    }

    public void setReals(double[] reals) {
        this.reals = reals;
    }

    public String[] getWords() {
        return words;
    }

    public void setWords(String[] words) {
        this.words = words;
    }

    public List<Long> getLinked() {
        return linked;
    }

    public void setLinked(List<Long> linked) {
        this.linked = linked;
    }

    public Set<String> getTags() {
        return tags;
    }

    public void setTags(Set<String> tags) {
        this.tags = tags;
    }

    public Map<String, Integer> getSorted() {
        return sorted;
    }

    public void setSorted(Map<String, Integer> sorted) {
        this.sorted = sorted;
    }

    public LocalDateTime getAt() {
        return at;
    }

    public void setAt(LocalDateTime at) {
        this.at = at;
    }

    public Object getAnything() {
        return anything;
    }

    public void setAnything(Object anything) {
        this.anything = anything;
    }
}
