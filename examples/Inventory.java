import java.util.HashMap;
import java.util.Map;

/** Counts how many pieces of each article are in stock. */
public class Inventory {
    private final Map<String, Integer> stock = new HashMap<>();

    /** Adds pieces of an article. */
    public void add(String article, int pieces) {
        stock.put(article, stock.getOrDefault(article, 0) + pieces);
    }

    /** Returns how many pieces of an article there are. */
    public int count(String article) {
        
    }
}
