package metaproxy.interop.consumer;

import java.util.Map;
import metaproxy.interop.Attachments;
import metaproxy.interop.api.DemoService;

/** Attachments arrive at the provider, and the reply's arrive here. */
final class AttachmentScenarios {
    private AttachmentScenarios() {}

    static void attachments(Session session) {
        DemoService demo = session.demo();
        Map<String, Object> sent = Map.of("x-text", "grün 🛒", "x-number", 7, "x-flag", true, "batchJob", "true");
        sent.forEach(Attachments::send);
        Map<String, Object> received = demo.echoAttachments();
        Map<String, Object> replied = Attachments.replied();
        sent.forEach((name, value) -> Require.equal("attachment " + name, value, received.get(name)));
        for (String name : sent.keySet()) {
            if (name.startsWith("x-")) {
                Require.equal("response attachment reply-" + name, sent.get(name), replied.get("reply-" + name));
            }
        }
        Require.that(replied.get("served-by") != null, "the reply does not say who served it");
        Map<String, Object> next = demo.echoAttachments();
        Require.that(!next.containsKey("x-text"), "the next call still carries the attachments of the last one");
    }
}
