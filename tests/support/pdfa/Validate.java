import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.VeraPDFFoundry;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;

/**
 * Says of each PDF, named as an argument or on a line of the standard input, whether it is the PDF/A that it claims to
 * be: a line of JSON with the flavour ("2b"; "0" of a file that claims none) and the rules that it breaks, by clause and
 * number, each with what veraPDF says of the first place where it is broken. Ends with 1 if a file was not PDF/A.
 */
final class Validate {
    private static final String NO_FLAVOUR = "0";

    public static void main(String[] arguments) throws IOException {
        Logger.getLogger("").setLevel(Level.SEVERE);
        VeraGreenfieldFoundryProvider.initialise();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Stream<String> names = arguments.length > 0 ? Arrays.stream(arguments) : lines.lines();
        PrintStream answers = new PrintStream(System.out, true, "UTF-8");
        boolean conform = true;
        for (Iterator<String> each = names.iterator(); each.hasNext(); ) {
            String name = each.next();
            Map<String, String> broken = new LinkedHashMap<>();
            String flavour = validate(name, broken);
            conform &= broken.isEmpty();
            answers.println(describe(name, flavour, broken));
        }
        System.exit(conform ? 0 : 1);
    }

    /** The flavour that the file claims; what it breaks goes into the map. */
    private static String validate(String name, Map<String, String> broken) {
        VeraPDFFoundry foundry = Foundries.defaultInstance();
        try (PDFAParser parser = foundry.createParser(new File(name))) {
            PDFAFlavour flavour = parser.getFlavour();
            if (flavour.getId().equals(NO_FLAVOUR)) {
                broken.put("no flavour", "The file does not claim to be PDF/A.");
                return NO_FLAVOUR;
            }
            try (PDFAValidator validator = foundry.createValidator(flavour, false)) {
                for (TestAssertion each : validator.validate(parser).getTestAssertions()) {
                    String rule = each.getRuleId().getClause() + "-" + each.getRuleId().getTestNumber();
                    String place = " (" + each.getLocation().getContext() + ")";
                    broken.putIfAbsent(rule, each.getErrorMessage() + place);
                }
            }
            return flavour.getId();
        } catch (Exception error) {
            broken.put("unreadable", error.toString());
            return NO_FLAVOUR;
        }
    }

    private static String describe(String name, String flavour, Map<String, String> broken) {
        String rules = broken.entrySet().stream()
                .map(each -> quote(each.getKey()) + ": " + quote(each.getValue()))
                .collect(Collectors.joining(", ", "{", "}"));
        return "{\"file\": " + quote(name) + ", \"flavour\": " + quote(flavour) + ", \"broken\": " + rules + "}";
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char each : text.toCharArray()) {
            if (each < ' ' || each > '~' || each == '"' || each == '\\') {
                quoted.append(String.format("\\u%04x", (int) each));
            } else {
                quoted.append(each);
            }
        }
        return quoted.append('"').toString();
    }
}
