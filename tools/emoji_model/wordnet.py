"""As much of WordNet 3.1 as the texts need: the kinds (hypernyms), synonyms and definition of a name, and word lists."""
import os
import re

# Lexicographer file numbers a name of an emoji category may mean: a 'seal' among animals is no stamp.
MEANT = {'Animals & Nature': (5, 20), 'Food & Drink': (13, 20, 6), 'Objects': (6, 10, 21), 'Activities': (6, 4, 10, 11), 'Travel & Places': (6, 17, 15, 19),
         'People & Body': (18, 8), 'Flags': (6,)}
# Kinds too general to say of a picture.
GENERAL = set("""entity,physical entity,object,whole,artifact,living thing,thing,organism,being,matter,substance,instrumentality,instrumentation,agent,
causal agent,causal agency,cause,psychological feature,feature,abstraction,abstract entity,part,piece,chordate,vertebrate,craniate,placental,placental mammal,
mammal,eutherian,eutherian mammal,invertebrate,foodstuff,food,food product,product,nutrient,way,unit,produce,green goods,article,attribute,communication,
relation,event,vascular plant,plant,tracheophyte,solid,physical object,natural object,location,region,process,phenomenon,soul,somebody,someone,mortal,
individual,person,arthropod,even-toed ungulate,odd-toed ungulate,ungulate,hoofed mammal,device,equipment,structure,construction,covering,consumer goods,
commodity,trade good,conveyance,creation,production,fauna,brute,creature,beast,animate being,plant structure,plant part,plant organ,organ,body,
external body part""".replace('\n', '').split(','))


class WordNet:
    def __init__(self, folder):
        self.synset, self.index, self.count = {}, {}, {}
        for line in open(os.path.join(folder, 'data.noun'), encoding='utf8'):
            if line.startswith('  '):
                continue
            data, gloss = line.split(' | ', 1)
            f = data.split()
            n = int(f[3], 16)
            names = [f[4 + 2 * i].replace('_', ' ') for i in range(n)]
            p, up = 4 + 2 * n, []
            for i in range(int(f[p])):
                if f[p + 1 + 4 * i] in ('@', '@i') and f[p + 3 + 4 * i] == 'n':
                    up.append(f[p + 2 + 4 * i])
            self.synset[f[0]] = (int(f[1]), names, up, gloss.strip())
        for line in open(os.path.join(folder, 'index.noun'), encoding='utf8'):
            if not line.startswith('  '):
                f = line.split()
                self.index[f[0].replace('_', ' ')] = f[-int(f[2]):]
        for line in open(os.path.join(folder, 'index.sense'), encoding='utf8'):
            key, off, _, tags = line.split()
            w = key.split('%')[0].replace('_', ' ')
            self.count[w] = self.count.get(w, 0) + int(tags)

    def find(self, name, files):
        """The synset of a name or of its last words, of a meaning that fits."""
        ws = re.sub(r'\b(face|with|of)\b.*', '', name).strip().split() if name.startswith(('cat ', 'dog ')) else name.split()
        for k in range(len(ws)):
            for form in (' '.join(ws[k:]), re.sub('s$', '', ' '.join(ws[k:]))):
                for off in self.index.get(form, []):
                    if self.synset[off][0] in files and (self.synset[off][1][0].islower()):
                        return off, k
        return None, 0

    def describe(self, name, category):
        if category not in MEANT:
            return [], None
        plain = re.sub(' face$', '', name) if category == 'Animals & Nature' else name
        off, cut = self.find(plain, MEANT[category])
        if off is None:
            return [], None
        out, at, depth = [], off, 0
        while at and depth < 7:
            _, names, up, _ = self.synset[at]
            # With cut > 0 only the head noun was found ("hot dog" -> never "dog"): take what it is, not its own names.
            if not any(n.lower() in GENERAL for n in names):
                out += [n.lower() for n in names[:3] if not (depth == 0 and cut and n.lower() in plain)]
            at, depth = (up[0] if up else None), depth + 1
        gloss = re.split(r'; |\(|"', self.synset[off][3])[0].strip() if not cut else None
        return out, (gloss if gloss and 2 < len(gloss.split()) < 16 else None)

    def definitions(self):
        """[(names, short definition)] of every noun."""
        for _, names, _, gloss in self.synset.values():
            g = re.split(r'; |"', re.sub(r'\([^)]*\)', '', gloss))[0].strip()
            yield names, g
